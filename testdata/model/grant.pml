/* How sync grants, ends and records one request: one Job, one binding, two replicas. README.md says what is in here and what is not. */
#ifndef CRASH
#define CRASH 0
#endif
#ifndef ERR
#define ERR 0
#endif
#ifndef DELETER
#define DELETER 0
#endif
#ifndef WITHDRAW
#define WITHDRAW 1
#endif
#ifndef REPLAY
#define REPLAY 0
#endif
#ifndef RESTORE
#define RESTORE 0
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef DENY
#define DENY 0
#endif
#ifndef RETRY
#define RETRY 0      /* client-go repeats a POST after 5xx with Retry-After: done, then AlreadyExists */
#endif
#ifndef REFUSE
#define REFUSE 0     /* API server refuses the binding for certain (Forbidden) */
#endif
#ifndef OUTAGE
#define OUTAGE 0
#endif
#ifndef FOREIGN
#define FOREIGN 0
#endif
#ifndef NAGENTS
#define NAGENTS 2
#endif
/* TWO: both replicas act at any time. else: the Lease moves only between passes or from a dead one */
#define END 2
#ifdef TWO
#define LEADS true
#else
#define LEADS (leader == me)
#endif
#define LAST 4
#ifdef MUT_NOEXPIRER
#define EXPIRER_IS_DEAD true
#else
#define EXPIRER_IS_DEAD false
#endif
#ifdef MUT_NOTTL
#define TTL_IS_DEAD true
#else
#define TTL_IS_DEAD false
#endif
mtype = {NONE, GRANTING, GRANTED, ENDING, ENDED};           /* phases */
mtype = {EXPIRED, REMOVED, DELETED, DENIED, CONFLICT, TOO_LATE};       /* causes (DENIED: by judgement; CONFLICT: BindingConflict; TOO_LATE: ExpiredBeforeGrant) */
mtype = {OK, FAIL, EXISTS, CONFLICTS, NO};                       /* answers */
/* --- cluster --- */
mtype phase = NONE, cause = NONE; byte version = 0, jobUID = 0, bindingUID = 0, announced = 0, jobContent = 0;   /* record: phase, cause, Job UID, binding UID, announced binding content (=its owner), announced Job content */
byte lastVersion = 0;                                                 /* last resource version */
byte job = 0, content = 0; bit armed = 0;                          /* Job UID, content */
byte binding = 0, bindingOwner = 0; bit bindingForeign = 0;                         /* binding UID, owner */
byte lastUID = 0;                                                 /* UIDs handed out (never restored) */
/* --- git --- */
bit onMain = 1, inLedger = 0, saysGranted = 0; byte tip = 0; mtype ledgerCause = NONE;
/* --- snapshot --- */
bit backedUp = 0; bit restored = 0;
mtype kept_phase, kept_cause; byte kept_version, kept_jobUID, kept_bindingUID, kept_announced, kept_jobContent, kept_lastVersion, kept_job, kept_content, kept_binding, kept_bindingOwner; bit kept_armed, kept_bindingForeign;
/* --- network: calls under way --- */
byte lateBinding = 0;                                                  /* owner+1 of a binding create that is still to be delivered */
bit lateSave = 0;                                                  /* a first save */
/* --- time --- */
byte now = 1;
/* --- replicas --- */
bool alive[2] = true; bool crash[2] = false; bool due[2] = true; bool inPass[2] = false; byte leader = 0;
#define MAX_UID 8
byte sawGo[2], wentEarly[2], wentByTime[2];                            /* by UID bit: the expirer saw it go */
byte toTell[2];                                                 /* disappearances the watch has still to tell */
byte contentOf[MAX_UID];                                             /* content of binding by UID */
byte crashesLeft = CRASH, errorsLeft = ERR, deletionsLeft = DELETER, withdrawalsLeft = WITHDRAW, replaysLeft = REPLAY, restoresLeft = RESTORE, latesLeft = LATE, denialsLeft = DENY, retriesLeft = RETRY, refusalsLeft = REFUSE, outagesLeft = OUTAGE, foreignsLeft = FOREIGN;
/* --- ghosts --- */
bit hadAccess = 0, saidEnded = 0, wasTaken = 0, entries = 0; byte timesMade = 0;

#define WAKE  due[0] = true; due[1] = true
#define bitOf(u) (1 << (u-1))

inline bindingArrives(owner) {
  printf("EV   binding create arrives, owner %d, now=%d inLedger=%d saidEnded=%d wasTaken=%d\n", owner, now, inLedger, saidEnded, wasTaken);
  assert(now < END || delivered);            /* sent in time, unless held up by the network */
#ifndef NO_A1
  assert(!inLedger);                              /* A1 never granted once the ledger has the name */
#endif
#ifndef NO_A2
  assert(!saidEnded || restored);            /* A2 never granted once its record said Ended */
#endif
#ifdef CHECK_A5
  assert(!saidEnded || restored || owner != job);   /* A5 what is made after Ended has lost its owner: the collector takes it */
#endif
#ifndef NO_A3
  assert(!wasTaken || restored);            /* A3 never again once a binding of it was deleted */
#endif
  printf("EV binding %d made, owner %d, now=%d inLedger=%d saidEnded=%d wasTaken=%d\n", lastUID+1, owner, now, inLedger, saidEnded, wasTaken);
  lastUID++; assert(lastUID < MAX_UID); binding = lastUID; bindingOwner = owner; contentOf[lastUID] = owner; bindingForeign = 0; hadAccess = 1; timesMade++; WAKE
}
inline bindingGoes() {
  printf("EV   binding %d goes, now=%d\n", binding, now);                        /* whoever deletes it */
  if :: !bindingForeign ->
     if :: alive[0] -> toTell[0] = toTell[0] | bitOf(binding) :: else fi;
     if :: alive[1] -> toTell[1] = toTell[1] | bitOf(binding) :: else fi;
     wasTaken = 1
  :: else fi;
  binding = 0; bindingOwner = 0; bindingForeign = 0; WAKE
}
inline note(a, u) {                       /* expirer.note */
  if :: !(sawGo[a] & bitOf(u)) -> sawGo[a] = sawGo[a] | bitOf(u);
        if :: now < END -> wentEarly[a] = wentEarly[a] | bitOf(u) :: else -> wentByTime[a] = wentByTime[a] | bitOf(u) fi; due[a] = true
     :: else fi
}
/* one replica: r_* is its record, o_* what it observed */
#define LOCALS  mtype r_phase = NONE, r_cause = NONE, next_phase = NONE, next_cause = NONE; byte r_version = 0, r_jobUID = 0, r_bindingUID = 0, r_announced = 0, r_jobContent = 0; \
  byte o_job = 0, o_jobContent = 0, o_binding = 0, o_bindingOwner = 0, o_sawGo = 0, o_wentEarly = 0, o_wentByTime = 0, o_tip = 0; bit o_bindingForeign = 0, o_main = 0, o_onMain = 0, o_inLedger = 0; \
  bit do_end = 0, do_grant = 0, do_deny = 0, do_enter = 0, do_discard = 0, end_binding = 0, end_job = 0, sweep_binding = 0, sweep_job = 0, fresh = 0, have = 0, bindingIsOurs = 0, jobIsOurs = 0, lost = 0, foreign = 0, over = 0, sent = 0, delivered = 0, newcc = 0, known = 0, marked = 0; \
  byte missing = 0, seenMissing = 0, doomed_binding = 0, doomed_job = 0, announced_before = 0; mtype answer = NO, verdict = OK

inline reset() { d_step { r_phase = NONE; r_cause = NONE; next_phase = NONE; next_cause = NONE; r_version = 0; r_jobUID = 0; r_bindingUID = 0; r_announced = 0; r_jobContent = 0;
  o_job = 0; o_jobContent = 0; o_binding = 0; o_bindingOwner = 0; o_sawGo = 0; o_wentEarly = 0; o_wentByTime = 0; o_tip = 0; o_bindingForeign = 0; o_main = 0; o_onMain = 0; o_inLedger = 0;
  do_end = 0; do_grant = 0; do_deny = 0; do_enter = 0; do_discard = 0; end_binding = 0; end_job = 0; sweep_binding = 0; sweep_job = 0; fresh = 0; have = 0; bindingIsOurs = 0; jobIsOurs = 0; lost = 0; foreign = 0; over = 0; sent = 0; delivered = 0; newcc = 0; known = 0; marked = 0;
  missing = 0; seenMissing = 0; doomed_binding = 0; doomed_job = 0; announced_before = 0; answer = NO; verdict = OK; inPass[me] = false } }

/* store the record; faithful: create fails when it is there, update needs the version, an update that changes nothing has no new version */
inline store() {
  if :: r_version == 0 && phase != NONE -> answer = EXISTS
     :: r_version == 0 && phase == NONE ->
#ifndef NO_A4
        assert(!(inLedger && next_phase == GRANTING && now < END));     /* A4 no grant is begun once the ledger has the name */
#endif
        lastVersion++; version = lastVersion; phase = next_phase; cause = next_cause; jobUID = r_jobUID; bindingUID = r_bindingUID; announced = r_announced; jobContent = r_jobContent; answer = OK; WAKE
#ifdef MUT_NOSAVEPRE
     :: r_version != 0 && phase != NONE ->
#else
     :: r_version != 0 && (version != r_version || phase == NONE) -> answer = CONFLICTS
     :: r_version != 0 && version == r_version && phase != NONE ->
#endif
        assert(phase != ENDED || next_phase == ENDED);     /* A6 what ended never begins again */
        if :: !marked && phase == next_phase && cause == next_cause && jobUID == r_jobUID && bindingUID == r_bindingUID && announced == r_announced && jobContent == r_jobContent -> skip
           :: else -> lastVersion++; version = lastVersion; phase = next_phase; cause = next_cause; jobUID = r_jobUID; bindingUID = r_bindingUID; announced = r_announced; jobContent = r_jobContent; WAKE fi; answer = OK
  fi;
  if :: answer == OK && next_phase == ENDED -> saidEnded = 1 :: else fi
}
inline save(P, C) {
  atomic { next_phase = P; next_cause = C;
    if :: true -> store(); if :: answer == OK -> r_version = version :: else fi
       :: errorsLeft > 0 -> errorsLeft--; answer = FAIL                       /* never arrived */
       :: errorsLeft > 0 -> errorsLeft--; store(); answer = FAIL             /* done, answer lost */
       :: latesLeft > 0 && r_version == 0 && P == GRANTING -> latesLeft--; lateSave = 1; answer = FAIL
    fi; printf("EV R%d saves %e cause %e b=%d cc=%d job=%d: %e (now rv=%d ph=%e)\n", me, P, C, r_bindingUID, r_announced, r_jobUID, answer, version, phase) }
}
inline fail() { due[me] = true; goto done }

inline plan() { d_step {
  have = (r_phase != NONE);
  /* follow */
  if
  :: have && r_phase == ENDED ->
     if :: r_cause == NONE -> if :: known -> r_cause = REMOVED; do_end = 1; do_enter = o_main :: else fi
        :: else -> do_enter = o_main fi
  :: have && r_phase != ENDED ->
     /* examine: the Job */
     if :: o_job == 0 -> missing++; lost = lost || r_jobUID != 0
        :: o_job != 0 && r_jobUID == o_job -> jobIsOurs = 1
        :: o_job != 0 && r_jobUID == 0 && o_jobContent == r_jobContent -> jobIsOurs = 1; r_jobUID = o_job
        :: o_job != 0 && r_jobUID == 0 && o_jobContent != r_jobContent -> missing++
        :: else -> missing++; lost = 1; foreign = 1 fi;
     /* the binding */
     if :: o_binding == 0 -> missing++; lost = lost || r_bindingUID != 0
        :: o_binding != 0 && r_bindingUID == o_binding -> bindingIsOurs = 1
        :: o_binding != 0 && r_bindingUID == 0 && !o_bindingForeign && o_bindingOwner == r_announced && r_announced != 0 -> bindingIsOurs = 1; r_bindingUID = o_binding
        :: else -> missing++; lost = lost || r_bindingUID != 0; foreign = 1 fi;
     /* gone */
     seenMissing = 0;
     if :: r_bindingUID != 0 -> seenMissing = o_sawGo & bitOf(r_bindingUID)
        :: r_bindingUID == 0 && r_announced != 0 ->
           if :: (o_sawGo & 1) && contentOf[1] == r_announced -> seenMissing = seenMissing | 1 :: else fi;
           if :: (o_sawGo & 2) && contentOf[2] == r_announced -> seenMissing = seenMissing | 2 :: else fi;
           if :: (o_sawGo & 4) && contentOf[3] == r_announced -> seenMissing = seenMissing | 4 :: else fi;
           if :: (o_sawGo & 8) && contentOf[4] == r_announced -> seenMissing = seenMissing | 8 :: else fi;
           if :: (o_sawGo & 16) && contentOf[5] == r_announced -> seenMissing = seenMissing | 16 :: else fi;
           if :: (o_sawGo & 32) && contentOf[6] == r_announced -> seenMissing = seenMissing | 32 :: else fi
        :: else fi;
     /* verdict */
     over = 1;
     if
#ifndef MUT_NOLEDGER
     :: o_main && o_inLedger -> r_cause = REMOVED                     /* a name that the ledger has is over */
     :: !(o_main && o_inLedger) && r_phase == ENDING && r_cause != NONE -> skip
     :: !(o_main && o_inLedger) && r_phase == ENDING && r_cause == NONE -> if :: known -> r_cause = REMOVED :: else fi
#else
     :: r_phase == ENDING && r_cause != NONE -> skip
     :: r_phase == ENDING && r_cause == NONE -> if :: known -> r_cause = REMOVED :: else fi
#endif
     :: else ->
        if
        :: seenMissing & o_wentByTime -> r_cause = EXPIRED
        :: else ->
           if
           :: now >= END && r_announced == 0 && seenMissing == 0 -> r_cause = TOO_LATE
           :: else ->
              if
              :: now >= END && !(seenMissing & o_wentEarly) -> r_cause = EXPIRED
              :: else ->
                 if
                 :: o_main && !o_onMain -> if :: known -> r_cause = REMOVED :: else fi
                 :: else ->
                    if
                    :: foreign && r_phase == GRANTING && seenMissing == 0 -> r_cause = CONFLICT
                    :: else ->
                       if
                       :: lost || (missing > 0 && seenMissing) -> r_cause = DELETED
                       :: else ->
                          if
                          :: r_phase == GRANTING && missing > 0 && o_main && o_onMain && verdict == NO -> r_cause = DENIED
                          :: else -> if :: now >= END -> r_cause = EXPIRED :: else -> over = 0 fi
                          fi
                       fi
                    fi
                 fi
              fi
           fi
        fi
     fi;
     if :: over -> do_end = 1; end_binding = bindingIsOurs; end_job = jobIsOurs; doomed_binding = o_binding; doomed_job = o_job; do_enter = o_main && r_cause != NONE
        :: !over && r_phase == GRANTING && (missing == 0 || o_main && now < END && o_onMain && verdict == OK) -> do_grant = 1
        :: else fi
  :: else
  fi;
  /* sweep: managed and claimed by nobody */
  if :: o_binding != 0 && !o_bindingForeign && !bindingIsOurs -> sweep_binding = 1; doomed_binding = o_binding :: else fi;
  if :: o_job != 0 && !jobIsOurs -> sweep_job = 1; doomed_job = o_job :: else fi;
  /* consider */
  if :: !have && o_main && o_onMain ->
        if :: o_inLedger -> do_discard = 1
           :: !o_inLedger && verdict == NO -> r_phase = ENDED; r_cause = DENIED; do_deny = 1; do_enter = 1
           :: !o_inLedger && verdict == OK && now < END -> fresh = 1; do_grant = 1
           :: else -> r_phase = ENDED; r_cause = TOO_LATE; do_deny = 1; do_enter = 1 fi
     :: else fi
} }

inline deleteBinding(u) {
  atomic {
    if :: true -> answer = OK;
#ifdef MUT_NOUID
          if :: binding != 0 -> assert(!bindingForeign); bindingGoes() :: else fi
#else
          if :: binding == u && u != 0 -> assert(!bindingForeign); bindingGoes() :: else fi
#endif
       :: errorsLeft > 0 -> errorsLeft--; answer = FAIL
       :: errorsLeft > 0 -> errorsLeft--; if :: binding == u && u != 0 -> bindingGoes() :: else fi; answer = FAIL
    fi }
}
inline deleteJob(u) {
  atomic {
    if :: true -> answer = OK; if :: job == u && u != 0 -> job = 0; content = 0; armed = 0; WAKE :: else fi
       :: errorsLeft > 0 -> errorsLeft--; answer = FAIL
    fi }
}
inline enterLedger(onlyremove) {                 /* Repository.Commit: compare and swap, fetch and build again */
  sent = 0;
again:
  if :: onlyremove && !o_onMain -> skip
     :: !onlyremove && !o_onMain && o_inLedger -> skip
     :: else ->
     atomic {
       if
       :: true ->
#ifdef MUT_NOCAS
          if :: true ->
#else
          if :: tip == o_tip ->
#endif
             if :: !onlyremove && !o_inLedger -> printf("EV R%d enters cause %e r_b=%d r_cc=%d existed=%d\n", me, r_cause, r_bindingUID, r_announced, hadAccess); assert(!inLedger); assert(entries == 0); inLedger = 1; entries = 1; ledgerCause = r_cause;
#ifdef MUT_UIDONLY
                   saysGranted = (r_cause == EXPIRED || r_bindingUID != 0);
#else
                   saysGranted = (r_cause == EXPIRED || r_bindingUID != 0 || (r_announced != 0 && r_cause != DENIED && r_cause != CONFLICT && r_cause != TOO_LATE));
#endif
#ifndef NO_L1
                   assert(!hadAccess || saysGranted || restored);                       /* L1 what hadAccess is in the ledger as granted */
#endif
#ifndef NO_L2
                   assert(!hadAccess || (r_cause != DENIED && r_cause != CONFLICT && r_cause != TOO_LATE) || restored);  /* L2 nothing denied that was granted */
#endif
#ifdef CHECK_L3
                   assert(hadAccess || !saysGranted || restored);   /* L3 not said granted what never was (ADR 6 allows EXPIRED) */
#endif
                :: else fi;
             onMain = 0; tip++; WAKE; answer = OK
             :: else -> answer = CONFLICTS fi
          ; printf("EV R%d pushes: %e inLedger=%d cause=%e\n", me, answer, inLedger, ledgerCause); if :: answer == OK && errorsLeft > 0 -> errorsLeft--; answer = FAIL :: true fi
       :: errorsLeft > 0 -> errorsLeft--; answer = FAIL
       fi };
     if :: answer == OK -> skip
        :: else -> atomic { o_tip = tip; o_onMain = onMain; o_inLedger = inLedger }; goto again
     fi
  fi
}

proctype Replica(byte me) {
  LOCALS;
start:
  do
  :: { /* --- one pass --- */
     atomic { due[me] && alive[me] && LEADS -> due[me] = false; inPass[me] = true; o_sawGo = sawGo[me]; o_wentEarly = wentEarly[me]; o_wentByTime = wentByTime[me] };
     /* main: read at some time before the cluster */
     atomic { if :: true -> o_main = 1; o_onMain = onMain; o_inLedger = inLedger; o_tip = tip
        :: outagesLeft > 0 -> outagesLeft--; o_main = 0; due[me] = true fi;
        if :: denialsLeft > 0 -> denialsLeft--; verdict = NO :: true -> verdict = OK fi;
        known = 1 };
     /* observe: objects, then records, then what the records name */
     atomic { o_binding = binding; o_bindingOwner = bindingOwner; o_bindingForeign = bindingForeign; o_job = job; o_jobContent = content };
     atomic { r_phase = phase; r_cause = cause; r_version = version; r_jobUID = jobUID; r_bindingUID = bindingUID; r_announced = announced; r_jobContent = jobContent;
        if :: phase == NONE -> r_version = 0; r_cause = NONE; r_jobUID = 0; r_bindingUID = 0; r_announced = 0; r_jobContent = 0 :: else fi;
        if :: phase != ENDED && phase != NONE && o_binding == 0 -> o_binding = binding; o_bindingOwner = bindingOwner; o_bindingForeign = bindingForeign :: else fi;
        if :: phase != ENDED && phase != NONE && o_job == 0 -> o_job = job; o_jobContent = content :: else fi;
        if :: o_bindingForeign && (phase == ENDED || phase == NONE) -> o_binding = 0; o_bindingOwner = 0; o_bindingForeign = 0 :: else fi };
     plan(); printf("EV R%d plans: record %e cause %e b=%d cc=%d job=%d rv=%d | seen: b=%d job=%d main=%d req=%d inLedger=%d | end=%d grant=%d fresh=%d deny=%d close=%d discard=%d sweep b%d j%d\n", me, r_phase, r_cause, r_bindingUID, r_announced, r_jobUID, r_version, o_binding, o_job, o_main, o_onMain, o_inLedger, do_end, do_grant, fresh, do_deny, do_enter, do_discard, sweep_binding, sweep_job);
     /* End */
     if :: do_end ->
           if :: (end_binding || end_job) && r_cause != EXPIRED -> save(ENDING, r_cause)    /* announce; its error is ignored */
              :: else fi;
           if :: end_binding -> deleteBinding(doomed_binding); if :: answer != OK -> fail() :: else fi :: else fi;
           if :: end_job -> deleteJob(doomed_job); if :: answer != OK -> fail() :: else fi :: else fi;
           r_phase = ENDED; save(ENDED, r_cause); if :: answer != OK -> fail() :: else fi
        :: else fi;
     /* Sweep; not of the same grant for apply, so its error does not stop what follows */
     if :: sweep_binding -> deleteBinding(doomed_binding); if :: answer != OK -> due[me] = true :: else fi :: else fi;
     if :: sweep_job -> deleteJob(doomed_job); if :: answer != OK -> due[me] = true :: else fi :: else fi;
     /* Grant */
     if :: do_grant ->
           assert(!(o_main && o_inLedger));            /* A7 nothing is granted that the branch says is over */
           announced_before = r_announced;
           /* backstop */
           if :: fresh -> r_jobUID = 0; r_bindingUID = 0; r_announced = 0; r_jobContent = 0 :: else fi;
           if :: r_jobUID == 0 -> if :: now >= END -> fail() :: else -> r_jobContent = now fi :: else fi;
#ifndef MUT_CREATEFIRST
           save(GRANTING, NONE); if :: answer != OK -> fail() :: else fi;
#endif
#ifndef MUT_NOLOOK
           if :: (r_jobUID == 0 || r_bindingUID == 0) && (inLedger || !onMain) -> fail() :: else fi;   /* latest.has */
#endif
           if :: r_jobUID == 0 ->
              atomic {
                if :: job != 0 -> answer = EXISTS
                   :: job == 0 -> lastUID++; assert(lastUID < MAX_UID); job = lastUID; content = r_jobContent; armed = 0; WAKE; r_jobUID = job; answer = OK
                   :: job == 0 && errorsLeft > 0 -> errorsLeft--; answer = FAIL
                   :: job == 0 && errorsLeft > 0 -> errorsLeft--; lastUID++; job = lastUID; content = r_jobContent; armed = 0; WAKE; answer = FAIL
                   :: job == 0 && retriesLeft > 0 -> retriesLeft--; lastUID++; job = lastUID; content = r_jobContent; armed = 0; WAKE; answer = EXISTS
                fi };
              printf("EV R%d creates Job: %e\n", me, answer);
#ifdef MUT_NOADOPT
              if :: answer == EXISTS && fresh -> goto refuse
                 :: answer != OK && !(answer == EXISTS && fresh) -> fail()
                 :: else fi
#else
              atomic { if :: answer == EXISTS && job != 0 && content == r_jobContent -> r_jobUID = job; answer = OK :: else fi };
              if :: answer != OK -> fail() :: else fi
#endif
              :: else fi;
           /* armed */
           if :: job == r_jobUID && armed -> skip
              :: job != r_jobUID -> fail()
           fi;
           /* own: announce */
           if :: r_bindingUID == 0 -> r_announced = r_jobUID :: else fi;
#ifndef MUT_NOMARK
           marked = (r_bindingUID == 0);                   /* of this try: who announced it too cannot take it back any more */
#endif
#ifndef MUT_NOANNOUNCE
           save(GRANTING, NONE); marked = 0; if :: answer != OK -> fail() :: else fi;
#endif
           if :: r_bindingUID == 0 ->
              atomic { delivered = 0;
                if :: now >= END -> answer = NO                                     /* errTooLate */
                   :: now < END && refusalsLeft > 0 -> refusalsLeft--; answer = NO            /* Forbidden */
                   :: now < END && binding != 0 -> answer = EXISTS
                   :: now < END && binding == 0 -> bindingArrives(r_jobUID); r_bindingUID = binding; answer = OK
                   :: now < END && errorsLeft > 0 -> errorsLeft--; answer = FAIL
                   :: now < END && binding == 0 && errorsLeft > 0 -> errorsLeft--; bindingArrives(r_jobUID); answer = FAIL
                   :: now < END && binding == 0 && retriesLeft > 0 -> retriesLeft--; bindingArrives(r_jobUID); answer = EXISTS
                   :: now < END && latesLeft > 0 && lateBinding == 0 -> latesLeft--; lateBinding = r_jobUID; answer = FAIL
                fi };
              printf("EV R%d creates binding: %e nb=%d\n", me, answer, lateBinding);
#ifdef MUT_NOADOPT
              foreign = (answer == EXISTS);
#else
              atomic { foreign = (answer == EXISTS && bindingForeign);
                       if :: answer == EXISTS && binding != 0 && !bindingForeign && bindingOwner == r_announced -> r_bindingUID = binding; answer = OK :: else fi };
#endif
              if :: answer == OK -> skip
                 :: answer == EXISTS && fresh && foreign ->
refuse:            r_cause = CONFLICT; save(ENDING, CONFLICT);
                   if :: r_bindingUID != 0 -> deleteBinding(r_bindingUID); if :: answer != OK -> fail() :: else fi :: else fi;
                   if :: r_jobUID != 0 -> deleteJob(r_jobUID); if :: answer != OK -> fail() :: else fi :: else fi;
                   r_phase = ENDED; save(ENDED, CONFLICT); fail()
                 :: answer == NO ->
#ifdef MUT_CLEARALL
                   r_announced = 0;
#else
                   r_announced = announced_before;                                  /* what an earlier try announced stays */
#endif
                   save(GRANTING, NONE); fail()
                 :: else -> fail()
              fi
              :: else fi;
           r_phase = GRANTED; save(GRANTED, NONE); if :: answer != OK -> fail() :: else fi
        :: else fi;
     if :: do_deny -> save(ENDED, r_cause); if :: answer != OK -> fail() :: else fi :: else fi;
     /* Enter, Forget, Discard */
     if :: do_enter -> enterLedger(0);
           atomic {
             if :: true -> if :: phase == NONE -> skip
                    :: phase != NONE && version == r_version -> phase = NONE; cause = NONE; version = 0; jobUID = 0; bindingUID = 0; announced = 0; jobContent = 0; WAKE
                    :: else -> due[me] = true fi
                :: errorsLeft > 0 -> errorsLeft--; due[me] = true
             fi }
        :: do_discard -> 
           /* Discard: remove the file only */
           atomic { if :: tip == o_tip && onMain -> onMain = 0; tip++; WAKE :: else -> due[me] = true fi }
        :: else fi;
done: skip;
     reset()
     } unless { crash[me] }
     ; if :: atomic { crash[me] -> crash[me] = false; reset() } :: else fi
  od
}

proctype Environment() {
  do
  /* watches tell */
  :: atomic { alive[0] && toTell[0] -> 
       if :: toTell[0] & 1 -> toTell[0] = toTell[0] & ~1; note(0, 1) :: toTell[0] & 2 -> toTell[0] = toTell[0] & ~2; note(0, 2)
          :: toTell[0] & 4 -> toTell[0] = toTell[0] & ~4; note(0, 3) :: toTell[0] & 8 -> toTell[0] = toTell[0] & ~8; note(0, 4)
          :: toTell[0] & 16 -> toTell[0] = toTell[0] & ~16; note(0, 5) :: toTell[0] & 32 -> toTell[0] = toTell[0] & ~32; note(0, 6) :: toTell[0] & 64 -> toTell[0] = toTell[0] & ~64; note(0, 7) fi }
  :: atomic { alive[1] && toTell[1] -> 
       if :: toTell[1] & 1 -> toTell[1] = toTell[1] & ~1; note(1, 1) :: toTell[1] & 2 -> toTell[1] = toTell[1] & ~2; note(1, 2)
          :: toTell[1] & 4 -> toTell[1] = toTell[1] & ~4; note(1, 3) :: toTell[1] & 8 -> toTell[1] = toTell[1] & ~8; note(1, 4)
          :: toTell[1] & 16 -> toTell[1] = toTell[1] & ~16; note(1, 5) :: toTell[1] & 32 -> toTell[1] = toTell[1] & ~32; note(1, 6) :: toTell[1] & 64 -> toTell[1] = toTell[1] & ~64; note(1, 7) fi }
  /* expirers: whoever lives */
#ifndef MUT_NOEXPIRER
  :: atomic { now >= END && binding != 0 && !bindingForeign && alive[0] -> bindingGoes() }
  :: atomic { now >= END && binding != 0 && !bindingForeign && alive[1] -> bindingGoes() }
#endif
  /* controllers */
  :: atomic { job != 0 && !armed -> armed = 1 }
#ifndef MUT_NOTTL
  :: atomic { job != 0 && armed && now >= END + 1 -> job = 0; content = 0; armed = 0; WAKE }
#endif
  :: atomic { binding != 0 && !bindingForeign && bindingOwner != job -> bindingGoes() }
  /* the network delivers */
  :: atomic { lateBinding != 0 && binding == 0 -> bit delivered = 1; bindingArrives(lateBinding); lateBinding = 0 }
  :: atomic { lateBinding != 0 -> lateBinding = 0 }
  :: atomic { lateSave && phase == NONE -> lastVersion++; version = lastVersion; phase = GRANTING; lateSave = 0; WAKE }
  :: atomic { lateSave -> lateSave = 0 }
  /* time: not while somebody who lives could end it, nor past the backstop while the controllers could */
  :: atomic { now == 1 -> printf("EV time: END\n"); now = 2; WAKE }
  :: atomic { now == 2 && (EXPIRER_IS_DEAD || !(binding != 0 && !bindingForeign && (alive[0] || alive[1]))) -> assert(binding == 0 || bindingForeign || (!alive[0] && !alive[1]));   /* B1 while somebody lives */ printf("EV time: END+1\n"); now = 3; WAKE }
  :: atomic { now == 3 && (TTL_IS_DEAD || job == 0 && !(binding != 0 && !bindingForeign && (bindingOwner != job || alive[0] || alive[1]))) -> 
#ifdef CHECK_BOUND
       assert(binding == 0 || bindingForeign);
#endif
       printf("EV time: LAST\n"); now = 4; WAKE }
  /* people */
  :: atomic { withdrawalsLeft > 0 && onMain -> printf("EV request removed\n"); withdrawalsLeft--; onMain = 0; tip++; WAKE }
  :: atomic { replaysLeft > 0 && !onMain -> printf("EV request file is back\n"); replaysLeft--; onMain = 1; tip++; WAKE }
  :: atomic { deletionsLeft > 0 && binding != 0 && !bindingForeign -> deletionsLeft--; printf("EV third party deletes binding\n"); bindingGoes() }
  :: atomic { deletionsLeft > 0 && job != 0 -> deletionsLeft--; printf("EV third party deletes Job\n"); job = 0; content = 0; armed = 0; WAKE }
  :: atomic { foreignsLeft > 0 && binding == 0 -> foreignsLeft--; lastUID++; binding = lastUID; bindingOwner = 0; bindingForeign = 1; WAKE }
  /* crash, restart, Lease */
  :: atomic { crashesLeft > 0 && alive[0] -> crashesLeft--; printf("EV R0 dies\n"); alive[0] = false; sawGo[0] = 0; wentEarly[0] = 0; wentByTime[0] = 0; toTell[0] = 0; crash[0] = inPass[0] }
  :: atomic { crashesLeft > 0 && alive[1] -> crashesLeft--; printf("EV R1 dies\n"); alive[1] = false; sawGo[1] = 0; wentEarly[1] = 0; wentByTime[1] = 0; toTell[1] = 0; crash[1] = inPass[1] }
  :: atomic { !alive[0] && !crash[0] -> printf("EV R0 starts\n"); alive[0] = true; due[0] = true }
#if NAGENTS > 1
  :: atomic { !alive[1] && !crash[1] -> printf("EV R1 starts\n"); alive[1] = true; due[1] = true }
#ifndef TWO
  :: atomic { leader == 0 && !inPass[0] && (!alive[0] || crashesLeft > 0 ) -> leader = 1; due[1] = true }
  :: atomic { leader == 1 && !inPass[1] && (!alive[1] || crashesLeft > 0 ) -> leader = 0; due[0] = true }
#endif
#endif
  /* state of the cluster restored from a backup */
#if RESTORE > 0
  :: atomic { !backedUp && restoresLeft > 0 -> printf("EV snapshot taken\n"); backedUp = 1; kept_phase = phase; kept_cause = cause; kept_version = version; kept_jobUID = jobUID; kept_bindingUID = bindingUID; kept_announced = announced; kept_jobContent = jobContent; kept_lastVersion = lastVersion; kept_job = job; kept_content = content; kept_armed = armed; kept_binding = binding; kept_bindingOwner = bindingOwner; kept_bindingForeign = bindingForeign }
  :: atomic { backedUp && restoresLeft > 0 -> printf("EV snapshot restored\n"); restoresLeft--; restored = 1; phase = kept_phase; cause = kept_cause; version = kept_version; jobUID = kept_jobUID; bindingUID = kept_bindingUID; announced = kept_announced; jobContent = kept_jobContent; lastVersion = kept_lastVersion; job = kept_job; content = kept_content; armed = kept_armed; binding = kept_binding; bindingOwner = kept_bindingOwner; bindingForeign = kept_bindingForeign; WAKE }
#endif
  od
}

/* nothing more happens: what must hold in the end */
proctype Rest() {
  timeout -> 
    assert(now == LAST);
    assert(binding == 0 || bindingForeign);              /* E1 no access left */
    assert(job == 0);                        /* E2 no Job left */
    assert(phase == NONE);                      /* E3 no record left: it is in the ledger */
    assert(!onMain);                            /* E4 the request is off the branch */
    assert(!hadAccess || inLedger || restored)       /* E5 every grant that hadAccess is in the ledger (once: entries) */
}
init { atomic {
#if NAGENTS == 1
  alive[1] = false;
#endif
  run Replica(0);
#if NAGENTS > 1
  run Replica(1);
#endif
  run Environment(); run Rest() } }
