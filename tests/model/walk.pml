/* What programs, their kernel and the handlers of their requests do with a directory: included by names.pml. */

#ifdef NO_COMPARISON
#define SAME_NAME true
#else
#define SAME_NAME (told_name == version)
#endif

#ifdef REVIVE_WITHOUT_END
#define IS_FALSE 0
#else
#define IS_FALSE 1
#endif

/* GETATTR of the directory, the gate: the answer waits until no name is suspect. After a while the lease is acquired
   anew and what the kernel has is compared (revival). gone: ESTALE, after half the recall deadline, which passes only
   when nothing else can happen; who came first gets it first. */
inline Gate(t) {
  false_name = 0; gone = 0;
#ifndef NO_GATE
  line!t;
  do
  :: !suspect -> break
#ifndef NO_REVIVAL
  :: suspect && !false_name && (phase == HELD || phase == ACQUIRING || (phase == NONE && changes == 0)) ->
    REACHED(4);
    Want(t, 1);
    if
    :: have ->
      atomic { backend_free -> version = volume };
      atomic {
        if
        :: phase == HELD && view[t] && suspect ->
          if
          :: SAME_NAME -> REACHED(1); suspect = 0; granted = 1
          :: else -> false_name = IS_FALSE
          fi
        :: else               /* recalled again, or taken back meanwhile */
        fi
      }
    :: else
    fi
#endif
#ifndef NO_ESTALE
  :: timeout && suspect && false_name && line?[eval(t)] -> REACHED(2); gone = 1; break
#endif
  od;
  line??eval(t);
#endif
  false_name = 0; have = 0; version = 0
}

/* The directory's permissions: asked for unless trusted. */
inline Permission(t) {
  atomic {
    gone = 0;
    if
    :: trusted -> trusting = 1
    :: else -> trusting = 0; asked[t] = 1
    fi
  };
  if
  :: !trusting ->
    Gate(t);
    if
    :: !gone ->
      Want(t, 0);
      if :: !have -> backend_free :: else fi;
      atomic { if :: have && phase == HELD && view[t] && !suspect -> trusting = 1 :: else fi };
      atomic {
#ifdef KEEP_LATE_ATTRIBUTES
        if :: trusting -> trusted = 1 :: else fi;
#else
        if :: trusting && asked[t] -> trusted = 1 :: else fi;
#endif
        asked[t] = 0
      }
    :: else -> asked[t] = 0
    fi
  :: else
  fi;
  trusting = 0; have = 0; version = 0
}

/* While a name is suspect none is granted: what an answer on its way to the kernel will replace is still there. */
#if defined GRANT_WITHOUT_LEASE
#define MAY_GRANT(t) !suspect
#elif defined GRANT_WHILE_SUSPECT
#define MAY_GRANT(t) (phase == HELD && view[t])
#else
#define MAY_GRANT(t) (phase == HELD && view[t] && !suspect)
#endif

/* LOOKUP. granting: the caller has the i_rwsem until it has processed the answer. */
inline LOOKUP(t, granting) {
  Want(t, 0);
  if
  :: have                                   /* from what is known under the lease */
  :: atomic { backend_free -> version = volume }
  fi;
  grant = 0;
  atomic {
    if
    :: have && granting && MAY_GRANT(t) ->
      grant = 1; granted = 1; told_name = version
    :: else
    fi
  };
  have = 0
}

/* The first lookup of a name, or READDIRPLUS, which replaces what there is: under the i_rwsem. */
inline Enter(t, locked) {
  LOOKUP(t, 1);
  atomic {
    got = version; dentry = version; forever = grant;
    if :: !locked -> shared-- :: else fi
  }
}

/* The last component of a path. `locked`: its user has the i_rwsem exclusively. `again`: trusts no name. */
inline UseName(t, locked, again) {
  atomic {
    seen = dentry;
    if
    :: dentry != 0 && forever && !again -> got = dentry; hit = 1
    :: else -> hit = 0
    fi
  };
  if
  :: !hit && seen != 0 ->                   /* revalidation: without any lock */
#ifdef GRANT_ON_REVALIDATION
    LOOKUP(t, 1);
#else
    LOOKUP(t, 0);
#endif
    atomic {
      if
      :: version == seen ->
        hit = 1; got = version;
        if :: grant && dentry == seen -> forever = 1 :: else fi
      :: else -> if :: dentry == seen -> dentry = 0; forever = 0 :: else fi
      fi
    }
  :: else
  fi;
  if
  :: !hit ->
    if
    :: !locked ->
      atomic {                              /* looks once more under the lock */
        !exclusive -> shared++;
        if :: dentry != 0 && forever && !again -> got = dentry; hit = 1; shared-- :: else fi
      }
    :: else
    fi;
    if
    :: !hit -> Enter(t, locked)
    :: else
    fi
  :: else -> REACHED(3)
  fi;
  atomic { seen = 0; hit = 0; grant = 0; version = 0 }
}

#define USER_STATE \
  ACTIONS; bit have, gone, false_name, trusting, hit, grant, again; byte version, seen, got, must

proctype Walker(byte t; byte ops) {
  USER_STATE;
  do
  :: ops == 0 -> break
  :: else ->
    if :: !again -> atomic { must = done; ops-- } :: else fi;
    Permission(t);
    if
    :: !gone ->
      if
      :: UseName(t, 0, again)
      :: atomic { !exclusive -> shared++ };
        Enter(t, 0);
        atomic { grant = 0; version = 0 }
      fi;
      assert(got >= must);
      atomic { again = 0; got = 0; must = 0 }
    :: else ->
      assert(!again);                       /* the program sees ESTALE only if walking again does not help */
      again = 1; ops++
    fi
  od
}

/* creat(), mkdir(), unlink(): checks the directory's permissions on the way and once more under the i_rwsem. */
proctype Creator(byte t; byte ops) {
  USER_STATE;
  do
  :: ops == 0 -> break
  :: else ->
    if :: !again -> must = done :: else fi;
    Permission(t);
    if
    :: !gone ->
      atomic { !exclusive && shared == 0 -> exclusive = 1 };
      UseName(t, 1, again);
      assert(got >= must);
      Permission(t);
      if
      :: !gone ->
        d_step {                            /* Mutation::Add */
          changes++;
          NextEpoch();
          if
          :: phase == ACQUIRING -> cancelled = 1
#ifndef CHANGE_KEEPS_LEASE
          :: phase == HELD || phase == RECALLED -> Drop()
#endif
          :: else
          fi
        };
        DO();
        queued++;
        atomic { open == 0 -> queued--; volume++; version = volume };
        atomic { dentry = version; forever = 0; exclusive = 0 };
        atomic { if :: version > done -> done = version :: else fi; version = 0; got = 0; must = 0; again = 0 };
        atomic { changes--; ops-- }
      :: else -> exclusive = 0
      fi
    :: else
    fi;
    if
    :: gone ->
      atomic { assert(!again); again = 1; gone = 0 }
    :: else
    fi
  od
}

/* On a node without gateway. */
proctype RemoteWriter(byte ops) {
  byte mine;
  do
  :: ops == 0 -> break
  :: else ->
    atomic { ops--; queued++ };
    atomic {
      open == 0 -> queued--;
      if
      :: volume++
      :: true                               /* another name */
      fi;
      mine = volume
    };
    atomic { if :: mine > done -> done = mine :: else fi; mine = 0 }
  od
}
