/* One inode in one gateway: LeaseState (coherence/lease_state.cc) with the parts of LeaseTable and of the kernel
   that it talks to. Included by data.pml. Each step of the state machine is one atomic step, as it is under the
   inode's mutex; what it asks for is done afterwards, one action at a time (DO), as LeaseTable::Do does.

   Time is left out: a hold-off may be over or not, so whoever wants a lease may or may not ask for one. The timer
   fires only with -DTIMER (at any moment then): without it nothing but the protocol ends a wait.

   The lock: an EX that is queued lets nobody pass (hazard 1 of OCFS2: not even the node's own kernel), and is
   granted when no lease is open. A PR of the kernel's, and an EX, are held for one step: holding them longer only
   delays what waits for them anyway. */

#define NONE      0
#define ACQUIRING 1
#define HELD      2
#define RECALLED  3

typedef Node {
  /* LeaseState */
  byte phase; bit cancelled; byte changes; byte running; byte replies;
  byte put_covered, put_suspect, gone_covered, gone_suspect, trust;
  byte ticket[REQUESTS];   /* open tickets, 0: none */
  bit view[REQUESTS];      /* whose view is of the present epoch */
  /* LeaseTable, Inode */
  byte key;                /* of the lease; 0: none */
  byte attr;               /* the version that the lease was granted for */
  bit page_of[REQUESTS];   /* requests whose page an invalidation leaves out */
  bit notifying;           /* the first notifier is busy */
  bit ask;                 /* an acquisition is to run */
  byte waiting;            /* GETATTRs that wait for suspect pages */
  byte opens;              /* how many have the file open */
  /* the kernel */
  bit trusted; byte known; /* attributes: whether they are used without asking, their version */
  bit asked[REQUESTS];     /* a GETATTR is under way and no invalidation came since */
  bit locked, uptodate; byte page;
  bit loose;               /* put there by an answer that no lease covered: mappings may be late, a known gap */
  /* the lock */
  byte open;               /* key of the open lease file; 0: none */
  byte told;               /* key for which a recall was delivered */
}

Node n[NODES];
byte volume = 1;           /* the version on the shared volume */
byte done = 1;             /* the youngest version whose write has returned */
byte queued;               /* EX requests that wait */
byte keys;

#define covered(g)  (n[g].put_covered > n[g].gone_covered)
#define suspect(g)  (n[g].put_suspect > n[g].gone_suspect)
#define believed(g) (n[g].trust > n[g].gone_covered)
#define backend_free (queued == 0)

#if NODES == 1
#define no_lease_open (n[0].open == 0)
#else
#define no_lease_open (n[0].open == 0 && n[1].open == 0)
#endif

chan to_notifier[NODES] = [3] of { byte, byte, bit };

/* What a step asks for, of the process that made it. */
#define ACTIONS bit distrust, release, invalidate, range; byte old_key, mark_covered, mark_suspect

inline NextEpoch(g) { n[g].view[0] = 0; n[g].view[1] = 0; n[g].view[2] = 0 }

/* Nothing refers to a mark: counting begins anew, so that fewer states differ. */
inline Settle(g) {
  if
  :: !covered(g) && !suspect(g) && n[g].running == 0 && n[g].waiting == 0 &&
     n[g].ticket[0] == 0 && n[g].ticket[1] == 0 && n[g].ticket[2] == 0 ->
    n[g].put_covered = 0; n[g].gone_covered = 0; n[g].put_suspect = 0; n[g].gone_suspect = 0; n[g].trust = 0
  :: else
  fi
}

inline Forget(g) {
  n[g].trusted = 0;
  n[g].asked[0] = 0; n[g].asked[1] = 0; n[g].asked[2] = 0
}

/* All that comes before the first open ticket; nothing while a ticket may be a WRITE's: the page that is left out for
   it may be an older one. */
inline Reach(g, reach) {
  reach = n[g].put_suspect;
#ifndef CLAIM_BESIDE_WRITES
  if
  :: n[g].changes != 0 && (n[g].ticket[0] != 0 || n[g].ticket[1] != 0 || n[g].ticket[2] != 0) ->
    reach = n[g].gone_suspect
  :: else
  fi;
#endif
  if :: n[g].ticket[0] != 0 && n[g].ticket[0] <= reach -> reach = n[g].ticket[0] - 1 :: else fi;
  if :: n[g].ticket[1] != 0 && n[g].ticket[1] <= reach -> reach = n[g].ticket[1] - 1 :: else fi;
  if :: n[g].ticket[2] != 0 && n[g].ticket[2] <= reach -> reach = n[g].ticket[2] - 1 :: else fi
}

inline Invalidate(g) {
  n[g].running++;
  invalidate = 1;
  mark_covered = n[g].put_covered;
  Reach(g, mark_suspect);
#ifdef NO_LEAVING_OUT
  range = 1
#else
  range = !(n[g].page_of[0] || n[g].page_of[1] || n[g].page_of[2])
#endif
}

inline TakeBackSuspects(g) {
  Reach(g, mark_suspect);
  if
  :: !invalidate && n[g].running == 0 && mark_suspect > n[g].gone_suspect -> Invalidate(g)
  :: else -> if :: !invalidate -> mark_suspect = 0 :: else fi
  fi
}

inline GiveBack(g) {
  n[g].phase = NONE;
  release = 1;
  old_key = n[g].key;
  n[g].key = 0
}

inline Drop(g) {
  GiveBack(g);
  distrust = believed(g);
  if
  :: covered(g) ->
    n[g].gone_covered = n[g].put_covered;
    n[g].put_suspect++;
    TakeBackSuspects(g)
  :: else
  fi
}

inline Advance(g) {
  if
  :: n[g].phase == RECALLED && n[g].replies == 0 ->
    if
    :: covered(g) ->
      Invalidate(g)
    :: else -> GiveBack(g)
    fi
  :: else
  fi
}

inline OnRecall(g, k) {
  if
  :: n[g].phase == ACQUIRING ->
#ifndef NO_CANCEL
    n[g].cancelled = 1;
    release = 1;
    old_key = k
#endif
    skip
  :: n[g].phase == HELD && n[g].key == k ->
    NextEpoch(g);
#ifdef RELEASE_OPEN_FILES_AT_ONCE
    Drop(g)
#else
    if
    :: n[g].opens == 0 -> Drop(g)         /* nobody can have it mapped */
    :: else -> n[g].phase = RECALLED; Advance(g)
    fi
#endif
  :: else
  fi
}

inline OnGranted(g, k, version) {
  n[g].key = k;
  if
  :: n[g].cancelled -> GiveBack(g)
  :: else -> n[g].phase = HELD; NextEpoch(g); n[g].attr = version
  fi;
  n[g].cancelled = 0
}

inline OnInvalidated(g) {
  n[g].running--;
  if :: mark_covered > n[g].gone_covered -> n[g].gone_covered = mark_covered :: else fi;
  if :: mark_suspect > n[g].gone_suspect -> n[g].gone_suspect = mark_suspect :: else fi;
  mark_covered = 0; mark_suspect = 0;
  if
  :: n[g].phase == RECALLED && (!covered(g) || n[g].running == 0) -> Advance(g)
  :: else
  fi;
  TakeBackSuspects(g);
  Settle(g)
}

inline BeginUncovered(g, t) {
#ifndef NO_TICKETS
  distrust = believed(g);
  n[g].put_suspect++;
  n[g].ticket[t] = n[g].put_suspect
#endif
  skip
}

inline EndUncovered(g, t) {
  n[g].ticket[t] = 0;
  TakeBackSuspects(g)
}

inline OnChangeBegin(g) {
  n[g].changes++;
  NextEpoch(g);
  if
  :: n[g].phase == ACQUIRING -> n[g].cancelled = 1
#ifndef CHANGE_KEEPS_LEASE
  :: n[g].phase == HELD || n[g].phase == RECALLED -> Drop(g)
#endif
  :: else
  fi
}

/* LeaseTable::Do: attributes first, then the lease, then the pages. */
inline DO(g) {
  do
  :: distrust ->
    atomic {
      distrust = 0;
#ifndef NO_DISTRUST
      Forget(g)
#endif
    }
  :: !distrust && release ->
    d_step {
      release = 0;
      if :: n[g].open == old_key -> n[g].open = 0 :: else fi;
      old_key = 0
    }
  :: !distrust && !release && invalidate ->
    atomic {
      to_notifier[g]!mark_covered, mark_suspect, range;
      invalidate = 0; mark_covered = 0; mark_suspect = 0; range = 0
    }
  :: else -> break
  od
}

/* The provider's thread: it marks and closes, and waits for nothing. */
proctype Recalls(byte g) {
  ACTIONS;
  byte k;
endwait:
  do
  :: atomic { queued > 0 && n[g].open != 0 && n[g].told != n[g].open -> k = n[g].open; n[g].told = k };
    d_step { OnRecall(g, k); k = 0 };
    DO(g)
  od
}

/* One of the threads that take pages back. Attributes go with them. Two are enough here: that the second works only
   beside the first saves states. */
proctype Notifier(byte g; bit second) {
  ACTIONS;
endwait:
  do
  :: atomic {
      (!second || n[g].notifying) && nempty(to_notifier[g]) ->
      to_notifier[g]?mark_covered, mark_suspect, range;
      if :: !second -> n[g].notifying = 1 :: else fi;
      Forget(g)
    };
    if
    :: range -> atomic { !n[g].locked -> n[g].uptodate = 0; n[g].loose = 0; n[g].page = 0; range = 0 }
    :: else
    fi;
    d_step {
      if :: !second -> n[g].notifying = 0 :: else fi;
      OnInvalidated(g)
    };
    DO(g)
  od
}

proctype Acquirer(byte g) {
  ACTIONS;
  byte k, version;
endwait:
  do
  :: atomic { n[g].ask -> n[g].ask = 0 };
endqueue:   /* whoever wants the lease waits, too: that wait is no end state */
    atomic { backend_free && n[g].open == 0 -> keys = keys % 4 + 1; k = keys; n[g].open = k; version = volume };
    d_step { OnGranted(g, k, version); k = 0; version = 0 };
    DO(g)
  od
}

#ifdef TIMER
proctype Timer(byte g) {
  ACTIONS;
endwait:
  do
  :: atomic { n[g].phase == RECALLED -> Drop(g); distrust = 0 };
    DO(g)
  od
}
#endif
