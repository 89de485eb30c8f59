/* The end of a gateway: its kernel serves on. One reader and one writer without end, crashes and hangs at any moment,
   a guardian, a gateway started again. Versions are not counted here, so runs are endless and liveness means something:
   `old` says that the page is older than a write that has returned. Rules are switched off by the names in check.py. */
bit alive = 1, hung;
bit leased, recalled;      /* the lease file is open; its recall is being served */
bit wants;                 /* a writer waits for the lease */
bit trusted, uptodate, old;
bit answering, answer_old; /* an answer that fills the page is being written */
bit suspicious;            /* the page that the reader found when it began was old then, and is still there */

#define serving (alive && !hung)

proctype Reader() {
endloop:
  do
  :: atomic { suspicious = uptodate && old };
    if
    :: trusted
    :: !trusted && serving && !recalled
    :: !alive -> goto endloop                /* ENOTCONN */
    fi;
    if
    :: atomic { uptodate -> assert(!suspicious) }
    :: atomic { !uptodate && leased && serving && !recalled -> answering = 1 }; !answering
    :: !uptodate && !leased                  /* from the backend; nothing is kept */
    :: !alive
    fi
  od
}

/* Delivers the answer: a thread that writes may do so after the process was killed, until it has ended. */
proctype Answers() {
endloop:
  do
  :: atomic { answering -> uptodate = 1; trusted = 1; old = answer_old; suspicious = 0; answering = 0; answer_old = 0 }
  od
}

proctype Gateway() {
endloop:
  do
  :: atomic { serving && !leased && !wants -> leased = 1 }
  :: atomic { serving && leased && wants -> recalled = 1 };
    if :: serving && !answering :: !serving -> goto endloop fi;
    if :: atomic { serving -> trusted = 0 } :: !serving -> goto endloop fi;
    if :: atomic { serving -> uptodate = 0; old = 0 } :: !serving -> goto endloop fi;
    if :: atomic { serving -> leased = 0; recalled = 0 } :: !serving -> goto endloop fi
  od
}

proctype Fate() {
endloop:
  do
  :: atomic {
      serving -> alive = 0;
#ifdef NO_GUARDIAN
      leased = 0                             /* the kernel closes the descriptors of a dead process */
#endif
    }
  :: atomic { serving -> hung = 1 }
  od
}

proctype Guardian() {
endloop:
  do
#ifndef NO_WATCH
  :: atomic { alive && hung -> alive = 0 }   /* the counters in shared memory stand still */
#endif
  :: atomic { !alive -> hung = 0 };
#ifndef NO_WAIT_FOR_THREADS
    !answering;
#endif
#ifndef NO_TAKING_BACK
    trusted = 0;
    atomic { uptodate = 0; old = 0 };
#endif
    atomic { leased = 0; recalled = 0 };
    alive = 1                                /* another gateway */
  od
}

proctype Writer() {
endloop:
  do
  :: wants = 1;
    atomic {
      !leased -> wants = 0;
      if :: uptodate -> old = 1 :: else fi;
      if :: answering -> answer_old = 1 :: else fi
    }
  od
}

init {
  atomic { run Reader(); run Answers(); run Gateway(); run Fate(); run Guardian(); run Writer() }
}

ltl writers_proceed { [] (wants -> <> !wants) }
