/* The names of one directory: one name stands for all, positive or negative does not matter; its versions are counted.
   One gateway with WALKERS of path walks, CREATES through its mount, REMOTE_WRITES on a node without gateway. The lock
   is that of lease.pml: an EX that is queued lets nobody pass. Rules are switched off by the names in check.py. */
#ifndef CREATES
#define CREATES 1
#endif
#ifndef REMOTE_WRITES
#define REMOTE_WRITES 1
#endif
#ifndef LEASES
#define LEASES 3           /* how often leases are asked for, at most */
#endif
#define REQUESTS 3

#ifdef REACH
#define REACHED(k) if :: REACH == k -> assert(false) :: else fi
#else
#define REACHED(k) skip
#endif

#define NONE      0
#define ACQUIRING 1
#define HELD      2
#define RECALLED  3        /* only with WAIT_FOR_NAMES: a directory is released at once */

/* The gateway. */
byte phase; bit cancelled, ask; byte changes;
bit view[REQUESTS];        /* whose view is of the present epoch */
byte attr;                 /* the version that the lease was granted for */
bit granted;               /* the kernel may have a name that the present lease covers */
bit suspect;               /* ... one that no lease covers */
bit fresh;                 /* it became so after the notifier had begun */
byte told_name;            /* the version of the name that the kernel was granted last */
byte leases = LEASES;
/* The lock. */
byte open, told, keys, key, queued;
byte volume = 1, done = 1;
/* The kernel. */
bit trusted; bit asked[REQUESTS];
byte dentry; bit forever;  /* the name, 0: unknown; its timeout is infinite */
bit exclusive; byte shared;/* i_rwsem of the directory */

chan to_notifier = [3] of { bit };
chan line = [3] of { byte }; /* answers that wait, oldest first */

#define backend_free (queued == 0)
#define ACTIONS bit distrust, release, notify; byte old_key

inline Forget() { trusted = 0; asked[0] = 0; asked[1] = 0; asked[2] = 0 }
inline NextEpoch() { view[0] = 0; view[1] = 0; view[2] = 0 }

inline GiveBack() {
  phase = NONE; release = 1; old_key = key; key = 0
}

/* The lease goes at once; what it covered is suspect from now on. */
inline Drop() {
  GiveBack();
  NextEpoch();
  distrust = 1;
  if
  :: granted -> granted = 0; suspect = 1; fresh = 1; notify = 1
  :: else
  fi
}

inline DO() {
  do
  :: distrust ->
    atomic {
      distrust = 0;
#ifndef NO_DISTRUST
      Forget()
#endif
    }
  :: !distrust && release ->
    d_step { release = 0; if :: open == old_key -> open = 0 :: else fi; old_key = 0 }
  :: !distrust && !release && notify -> atomic { to_notifier!1; notify = 0 }
  :: else -> break
  od
}

proctype Recalls() {
  ACTIONS;
  byte k;
endwait:
  do
  :: atomic { queued > 0 && open != 0 && told != open -> k = open; told = k };
    d_step {
      if
      :: phase == ACQUIRING -> cancelled = 1; release = 1; old_key = k
      :: phase == HELD && key == k ->
#ifdef WAIT_FOR_NAMES
        if
        :: granted -> phase = RECALLED; NextEpoch(); distrust = 1; notify = 1
        :: else -> Drop()
        fi
#else
        Drop()
#endif
      :: else
      fi;
      k = 0
    };
    DO()
  od
}

/* Takes the name back. The kernel may keep the dentry, but asks before it uses it. */
proctype Notifier() {
  ACTIONS;
endwait:
  do
  :: atomic { to_notifier?1 -> fresh = 0 };
    atomic { !exclusive && shared == 0 -> exclusive = 1 };
    atomic {
      forever = 0;
      if :: dentry = 0 :: true fi
    };
    exclusive = 0;
    d_step {
      if :: !fresh -> suspect = 0 :: else fi;
      if :: phase == RECALLED -> granted = 0; GiveBack() :: else fi
    };
    DO()
  od
}

proctype Acquirer() {
  ACTIONS;
  byte k, version;
endwait:
  do
  :: atomic { ask -> ask = 0 };
endqueue:
    atomic { backend_free && open == 0 -> keys = keys % 4 + 1; k = keys; open = k; version = volume };
    d_step {
      key = k;
      if
      :: cancelled -> GiveBack()
      :: else -> phase = HELD; NextEpoch(); attr = version
      fi;
      cancelled = 0; k = 0; version = 0
    };
    DO()
  od
}

/* A view under a lease, if one can be had; `urgent`: whatever the hold-off. */
inline Want(t, urgent) {
  atomic {
    have = 0;
    if
    :: phase == HELD -> have = 1; view[t] = 1; version = attr
    :: phase == NONE && changes == 0 && (urgent || leases > 0) ->
      phase = ACQUIRING; ask = 1;
      if :: !urgent -> leases-- :: else fi
    :: phase != HELD && !(urgent && phase == NONE && changes == 0)   /* hold-off, being acquired */
    fi
  };
  if
  :: !have && phase == ACQUIRING ->
    atomic {
      phase != ACQUIRING;
      if :: phase == HELD -> have = 1; view[t] = 1; version = attr :: else fi
    }
  :: else
  fi
}

#include "walk.pml"

init {
  atomic {
    if :: dentry = 1 :: true fi;            /* known, but to be asked for */
    run Recalls(); run Notifier(); run Acquirer();
    run Walker(0, FIRST_OPS);
#ifdef SECOND_OPS
    run Walker(1, SECOND_OPS);
#endif
#if CREATES > 0
    run Creator(2, CREATES);
#endif
#ifdef SECOND_CREATES
    run Creator(1, SECOND_CREATES);
#endif
    run RemoteWriter(REMOTE_WRITES);
  }
}
