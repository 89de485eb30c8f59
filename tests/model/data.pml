/* The content and the attributes of one file: NODES gateways, the first with two readers and (LOCAL_WRITES) a writer
   through its mount, the second with one reader, (REMOTE_WRITES) a writer on a node without gateway, and (MAPPING) a
   program of the first node that maps the file and asks nobody. Rules are switched off by the names in check.py. */
#ifndef NODES
#define NODES 1
#endif
#ifndef FIRST_OPS
#define FIRST_OPS 2
#endif
#ifndef SECOND_OPS
#define SECOND_OPS 1
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 1       /* how often a READ asks for a lease again */
#endif
#ifndef LEASES
#define LEASES 3         /* how often leases are asked for, at most */
#endif
#define REQUESTS 3
#define WRITER   2       /* the local writer's place in tables of requests */

#include "lease.pml"

/* REACH=k: the k-th interesting situation does occur; the check must find it. */
#ifdef REACH
#define REACHED(k) if :: REACH == k -> assert(false) :: else fi
#else
#define REACHED(k) skip
#endif

byte leases = LEASES;

/* A view under a lease, if one can be had. */
inline Want(g, t, urgent) {
  attempts = 0;
  do
  :: atomic {
      have = 0;
      if
      :: n[g].phase == HELD -> have = 1; n[g].view[t] = 1; version = n[g].attr
      :: else ->
#ifndef NO_FORCED_RELEASE
        if :: n[g].phase == RECALLED && urgent -> REACHED(1); Drop(g) :: else fi;
#endif
        if
        :: n[g].phase == NONE && n[g].changes == 0 && leases > 0 -> n[g].phase = ACQUIRING; n[g].ask = 1; leases--
        :: true   /* hold-off */
        fi
      fi
    };
    if :: have -> break :: else fi;
    DO(g);
    if :: n[g].phase != ACQUIRING -> break :: else fi;
    atomic {
      n[g].phase != ACQUIRING;
      if
      :: n[g].phase == HELD -> have = 1; n[g].view[t] = 1; version = n[g].attr
      :: else
      fi
    };
    if :: have || !urgent || attempts == ATTEMPTS -> break :: else -> attempts++ fi
  od;
  attempts = 0
}

/* A READ, whose page is locked. Other pages of the file do not matter here: one page stands for all. */
inline READ(g, t) {
  n[g].page_of[t] = 1;                       /* PageRequest */
  tries = 0; answered = 0;
  do
  :: tries > ATTEMPTS -> break
  :: else ->
    Want(g, t, 1);
    if :: !have -> break :: else fi;
#ifndef STORED                               /* in the page store, under the stamp of this lease */
    atomic { backend_free -> version = volume };
#endif
    atomic {
      if
#ifdef ANSWER_UNDER_ANY_LEASE
      :: true ->
#else
      :: n[g].phase == HELD && n[g].view[t] ->
#endif
        n[g].replies++; n[g].put_covered++; n[g].page_of[t] = 0; answered = 1
      :: else -> REACHED(2)
      fi
    };
    if
    :: answered ->
      atomic { n[g].page = version; n[g].uptodate = 1; n[g].loose = 0; n[g].locked = 0; got = version };
      d_step { n[g].replies--; Advance(g) };
      DO(g);
      break
    :: else -> tries++
    fi
  od;
  if
  :: !answered ->                            /* uncovered */
    d_step { BeginUncovered(g, t) };
    DO(g);
    atomic { backend_free -> version = volume };
    REACHED(3);
    atomic { n[g].page = version; n[g].uptodate = 1; n[g].loose = 1; n[g].locked = 0; got = version };
    d_step { n[g].page_of[t] = 0; EndUncovered(g, t) };
    DO(g)
  :: else
  fi;
  tries = 0; answered = 0; have = 0; version = 0
}

#ifdef TRUST_WHILE_SUSPECT
#define MAY_TRUST(g) true
#else
#define MAY_TRUST(g) !suspect(g)
#endif

/* stat(), and what read() begins with. */
inline Attributes(g, t) {
  atomic {
    if
    :: n[g].trusted -> got = n[g].known; trusting = 1
    :: else -> n[g].asked[t] = 1; trusting = 0; mark = n[g].put_suspect; n[g].waiting++
    fi
  };
  if
  :: !trusting ->
#ifndef NO_WAIT_FOR_SUSPECTS
    n[g].gone_suspect >= mark;
#endif
    d_step { n[g].waiting--; mark = 0; Settle(g) };
    Want(g, t, 0);
    if
    :: !have -> atomic { backend_free -> version = volume }
    :: else
    fi;
    atomic {                                 /* LeaseState::Trust; the answer comes later */
      trusting = 0;
      if
      :: have && n[g].phase == HELD && n[g].view[t] && MAY_TRUST(g) ->
        trusting = 1;
        if :: !believed(g) -> n[g].put_covered++; n[g].trust = n[g].put_covered :: else fi
      :: else
      fi
    };
    atomic {
      got = version;
#ifdef KEEP_LATE_ATTRIBUTES
      if :: trusting -> n[g].trusted = 1; n[g].known = version :: else fi;
#else
      if :: trusting && n[g].asked[t] -> n[g].trusted = 1; n[g].known = version :: else fi;
#endif
      n[g].asked[t] = 0
    }
  :: else
  fi;
  trusting = 0; have = 0; version = 0; mark = 0
}

/* Uses the page if it is there, else asks for it. `mapped`: an access that asked nobody before. */
inline UsePage(g, t) {
  atomic {
    !n[g].locked ->
    if
    :: n[g].uptodate -> got = n[g].page; hit = 1; late = n[g].loose
    :: else -> n[g].locked = 1; hit = 0; late = 0
    fi
  };
  if :: !hit -> READ(g, t) :: else fi
}

#define READER_STATE \
  ACTIONS; bit have, answered, trusting, hit, late; byte attempts, tries, version, mark, got, must

/* Has the file open all the time. */
proctype Reader(byte g; byte t; byte ops) {
  READER_STATE;
  do
  :: ops == 0 -> break
  :: else ->
    atomic { must = done; ops-- };
    Attributes(g, t);
    assert(got >= must);
    if
    :: true                                  /* stat() */
    :: true ->
      UsePage(g, t);
      if :: hit -> REACHED(4) :: else fi;
      assert(got >= must)
    fi;
    atomic { must = 0; got = 0; hit = 0; late = 0 }
  od
}

/* Opens the file, maps it, looks, closes it. */
proctype Mapper(byte g; byte t; byte ops) {
  READER_STATE;
  bit keep;
  do
  :: ops == 0 -> break
  :: else ->
    ops--;
#ifndef COUNTED_AFTER_ANSWER
    n[g].opens++;
#endif
    keep = n[g].phase == HELD && !suspect(g);
#ifdef OPEN_KEEPS_PAGES
    keep = 1;
#endif
    if
    :: keep
    :: else -> atomic { !n[g].locked -> n[g].uptodate = 0; n[g].page = 0; n[g].loose = 0; keep = 1 }
    fi;
#ifdef COUNTED_AFTER_ANSWER
    n[g].opens++;
#endif
    keep = 0;
    must = done;
    UsePage(g, t);
    if :: hit -> REACHED(5) :: else fi;
    assert(late || got >= must);
    atomic { must = 0; got = 0; hit = 0; late = 0; n[g].opens-- }
  od
}

/* write(2) through the mount: of a whole page, or of a part of one, whose other parts stay as they are. */
proctype LocalWriter(byte g; byte ops) {
  ACTIONS;
  byte mine;
  bit cached, also;
  do
  :: ops == 0 -> break
  :: else ->
    ops--;
    if
    :: cached = 1; atomic { !n[g].locked -> n[g].locked = 1 }
    :: cached = 0                            /* O_DIRECT, truncate, chmod */
    fi;
    atomic {
      if
      :: cached -> n[g].page_of[WRITER] = 1; BeginUncovered(g, WRITER)
      :: else
      fi;
      also = distrust;
      OnChangeBegin(g);
      distrust = distrust || also;
      also = 0
    };
    DO(g);
    queued++;
    atomic { no_lease_open -> queued--; volume++; mine = volume };
    atomic {
      if
      :: cached ->
        if
        :: n[g].page = mine; n[g].uptodate = 1
        :: true
        fi;
        n[g].loose = 1;
        n[g].locked = 0
      :: else
      fi
    };
    atomic { if :: mine > done -> done = mine :: else fi; mine = 0 };
    d_step {
      n[g].changes--;
      if
      :: cached -> n[g].page_of[WRITER] = 0; EndUncovered(g, WRITER)
      :: else
      fi
    };
    DO(g)
  od
}

/* On a node without gateway. */
proctype RemoteWriter(byte ops) {
  byte mine;
  do
  :: ops == 0 -> break
  :: else ->
    atomic { ops--; queued++ };
    atomic { no_lease_open -> queued--; volume++; mine = volume };
    atomic { if :: mine > done -> done = mine :: else fi; mine = 0 }
  od
}

init {
  byte g = 0;
  atomic {
    do
    :: g == NODES -> break
    :: else ->
#ifndef NOBODY_HAS_IT_OPEN
      n[g].opens = 1;
#endif
      run Recalls(g); run Notifier(g, 0); run Notifier(g, 1); run Acquirer(g);
#ifdef TIMER
      run Timer(g);
#endif
      g++
    od;
    run Reader(0, 0, FIRST_OPS);
#ifdef MAPPING
    run Mapper(0, 1, MAPPING);
#else
    run Reader(0, 1, SECOND_OPS);
#endif
#if NODES > 1
    run Reader(1, 0, SECOND_OPS);
#endif
#ifdef LOCAL_WRITES
    run LocalWriter(0, LOCAL_WRITES);
#endif
#ifdef REMOTE_WRITES
    run RemoteWriter(REMOTE_WRITES);
#endif
  }
}
