#!/usr/bin/env bash
# git.sh BARE GATEWAY: a repository with a history, cloned, packed, checked; every hash and every tree as natively.
# OCFSGW_GIT_COMMITS: how long the history is.
. "$(dirname "$0")/lib.sh"
need git
commits=${OCFSGW_GIT_COMMITS:-400}
export HOME=$scratch GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'    # hashes depend on them
git config --global init.defaultBranch main
git config --global gc.auto 0
git config --global advice.detachedHead false

# A history in one pack (what is done by hand makes loose objects): every commit changes three files, every tenth stays on a branch of its own.
make_history() {
  local commit branch
  git init -q repository
  cd repository
  for ((commit = 1; commit <= commits; commit++)); do
    branch=main
    ((commit % 10)) || branch=topic-$commit
    printf 'commit refs/heads/%s\ncommitter C <c@example.org> %d +0000\ndata <<E\ncommit %d\nE\n' \
      $branch $((1600000000 + commit * 60)) $commit
    [ $branch = main ] || echo "from refs/heads/main"
    printf 'M 100644 inline src/%d/%d.txt\ndata <<E\n%0500d\nE\n' $((commit % 7)) $((commit % 131)) $commit
    printf 'M 100755 inline bin/tool-%d\ndata <<E\n%d\nE\n' $((commit % 11)) $commit
    printf 'M 120000 inline links/%d\ndata 9\nsrc/%03d/x\n' $((commit % 13)) $((commit % 1000))
  done | git fast-import --quiet
  git reset -q --hard main
}

# What a user does by hand.
work() {
  local i
  cd repository
  git checkout -q -b feature
  for i in {1..15}; do
    mkdir -p "feature/$i"
    echo "feature $i" >"feature/$i/new file"
    git add feature
    git mv "src/$((i % 7))" "src/moved-$i" && git mv "src/moved-$i" "src/$((i % 7))"
    git commit -q -m "feature $i"
  done
  git rm -q -r links
  git commit -q -m 'no links'
  git checkout -q main
  echo more >>bin/tool-1
  git stash -q
  git checkout -q feature
  git checkout -q main
  git merge -q --no-edit --no-ff feature
  git rebase -q --onto main feature~3 feature
  git checkout -q main
  git stash pop -q
  git commit -q -a -m stashed
  git tag -a -m release v1
}

state() {
  cd "$1"
  git status --porcelain
  git rev-parse HEAD 'HEAD^{tree}'
  git for-each-ref
  git fsck --full --no-progress 2>&1
  manifest . --without mtime --skip .git
}

worktree() {
  cd repository
  git worktree add -q ../tree feature
  echo there >../tree/there
  git -C ../tree add there
  git -C ../tree commit -q -m there
  git worktree list --porcelain | sed 's,^worktree .*/,worktree ,'
  git worktree remove ../tree
  git worktree prune
}

collect() {
  cd repository
  git gc -q --prune=now
  git count-objects -v | grep -E '^(count|in-pack|packs|garbage):'
  git repack -q -a -d -f
}

clone() {
  git clone -q "$@"
}
# How many objects a clone has in common with where it came from.
shared_objects() { find "$1/.git/objects" -type f -links +1 | wc -l; }

both make_history
both state repository
both work
both state repository
both clone repository linked
both shared_objects linked
both state linked
both worktree
both collect
both state repository
both clone --no-hardlinks repository copied
both shared_objects copied
both state copied
