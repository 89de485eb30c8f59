// Linked into the nodes' ocfs2.ko, whose calls of down_read() lead here: might_sleep() as of CONFIG_PREEMPT_VOLUNTARY,
// which distributions' kernels are built with. User-mode Linux has one processor and CONFIG_PREEMPT_NONE: there,
// ocfs2_read_folio() takes ip_alloc_sem from a waiting writer by lock stealing, finds with down_read_trylock() that one
// waits, and begins again without end, for the writer cannot run (fs/ocfs2/aops.c, kernel/locking/rwsem.c, Linux 6.1).
    .text
    .globl lab_down_read
    .type lab_down_read, @function
lab_down_read:
    push %rdi
    movabs $__cond_resched, %rax
    call *%rax
    pop %rdi
    movabs $down_read, %rax
    jmp *%rax
    .size lab_down_read, . - lab_down_read
    .section .note.GNU-stack, "", @progbits
