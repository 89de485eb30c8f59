#!/usr/bin/env bash
# make.sh BARE GATEWAY: a C project is built in parallel; then exactly what depends on a change is built again.
# OCFSGW_MAKE_FILES: how many sources it has.
. "$(dirname "$0")/lib.sh"
need make gcc ar
files=${OCFSGW_MAKE_FILES:-100}

project() {
  local i
  mkdir project && cd project
  for ((i = 0; i < files; i++)); do
    mkdir -p "part$((i % 8))"
    # Every source includes the header of the next one as well.
    echo "int f$i(void);" >"part$((i % 8))/f$i.h"
    printf '#include "part%d/f%d.h"\n#include "part%d/f%d.h"\nint f%d(void) { return %d; }\n' \
      $((i % 8)) $i $(((i + 1) % files % 8)) $(((i + 1) % files)) $i $i >"part$((i % 8))/f$i.c"
  done
  {
    for ((i = 0; i < files; i++)); do echo "#include \"part$((i % 8))/f$i.h\""; done
    echo 'int printf(const char*, ...);'
    echo 'int main(void) { int sum = 0;'
    for ((i = 0; i < files; i++)); do echo "sum += f$i();"; done
    echo 'printf("%d\n", sum); return 0; }'
  } >main.c
  cat >Makefile <<'M'
sources := $(sort $(wildcard part*/*.c))
objects := $(sources:.c=.o)
program: main.o all.a
	gcc -o $@ $^
all.a: $(objects)
	rm -f $@ && ar rcsD $@ $^
%.o: %.c
	gcc -I. -MMD -MP -c -o $@ $<
-include $(objects:.o=.d) main.d
M
}

# What make runs, whatever the order.
build() {
  cd project
  make -j4 | sort
  ./program
}

# change FILE COMMAND...: make has to build again what was built from FILE and nothing else.
change() {
  (cd project && "${@:2}" "$1")
  (build) >built
  grep -o -- '-c -o [^ ]*' built | sort | sed 's/-c -o //'
  tail -n 1 built
  (cd project && make -q) || echo "make is not content"
}

both project
both build
grep -q '^gcc -o program' "$scratch/gateway.out" || differs "the program was not linked"
both build
grep -qx "make: 'program' is up to date." "$scratch/gateway.out" || differs "built again without a change: $(cat "$scratch/gateway.out")"

both change part5/f5.h touch
[ "$(head -n -1 "$scratch/gateway.out" | tr '\n' ' ')" = 'main.o part4/f4.o part5/f5.o ' ] ||
  differs "after a touch of part5/f5.h were built: $(cat "$scratch/gateway.out")"
both change part0/f16.c sed -i 's/return 16/return 1016/'     # sed renames

both change part2/f18.c sh -c 'echo "/* */" >>"$0"'
both change part3/f19.o rm
both manifest project --without mtime
