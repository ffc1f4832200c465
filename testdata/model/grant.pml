/* How sync grants, ends and records one request: one Job, one binding, two replicas. README.md says what is in here and what is not. */
#ifndef CRASH
#define CRASH 0
#endif
#ifndef ERR
#define ERR 0
#endif
#ifndef THIRD
#define THIRD 0
#endif
#ifndef WITHDRAW
#define WITHDRAW 1
#endif
#ifndef REPLAY
#define REPLAY 0
#endif
#ifndef REWIND
#define REWIND 0
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef DENYAGAIN
#define DENYAGAIN 0
#endif
#ifndef RETRY
#define RETRY 0      /* client-go repeats a POST after 5xx with Retry-After: done, then AlreadyExists */
#endif
#ifndef REFUSE
#define REFUSE 0     /* API server refuses the binding for certain (Forbidden) */
#endif
#ifndef GITDOWN
#define GITDOWN 0
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
#define NOEXP true
#else
#define NOEXP false
#endif
#ifdef MUT_NOTTL
#define NOTTL true
#else
#define NOTTL false
#endif
mtype = {NONE, GRANTING, GRANTED, ENDING, ENDED};           /* phases */
mtype = {EXPIRED, REMOVED, DELETED, DENIED, CONFLICT, LATEDENY};       /* causes (DENIED: by judgement; CONFLICT: BindingConflict; LATEDENY: ExpiredBeforeGrant) */
mtype = {OK, FAIL, EXISTS, CONFL, NO};                       /* answers */
/* --- cluster --- */
mtype ph = NONE, cause = NONE; byte rv = 0, cjob = 0, cb = 0, cc = 0, cjc = 0;   /* record: phase, cause, Job UID, binding UID, announced binding content (=its owner), announced Job content */
byte grv = 0;                                                 /* last resource version */
byte job = 0, jc = 0; bit jdone = 0;                          /* Job UID, content */
byte b = 0, bo = 0; bit bforeign = 0;                         /* binding UID, owner */
byte uid = 0;                                                 /* UIDs handed out (never rewound) */
/* --- git --- */
bit req = 1, led = 0, lgr = 0; byte tip = 0; mtype lcause = NONE;
/* --- snapshot --- */
bit snapped = 0; bit rewound = 0;
mtype s_ph, s_cause; byte s_rv, s_cjob, s_cb, s_cc, s_cjc, s_grv, s_job, s_jc, s_b, s_bo; bit s_jdone, s_bforeign;
/* --- network: calls under way --- */
byte nb = 0;                                                  /* owner+1 of a binding create that is still to be delivered */
bit ncm = 0;                                                  /* a first save */
/* --- time --- */
byte now = 1;
/* --- replicas --- */
bool alive[2] = true; bool crash[2] = false; bool dirty[2] = true; bool mid[2] = false; byte leader = 0;
#define MAXU 8
byte gseen[2], gearly[2], gexp[2];                            /* by UID bit: the expirer saw it go */
byte pend[2];                                                 /* disappearances the watch has still to tell */
byte bcont[MAXU];                                             /* content of binding by UID */
byte ncrash = CRASH, nerr = ERR, nthird = THIRD, nwith = WITHDRAW, nreplay = REPLAY, nrewind = REWIND, nlate = LATE, ndeny = DENYAGAIN, nretry = RETRY, nrefuse = REFUSE, ngit = GITDOWN, nforeign = FOREIGN;
/* --- ghosts --- */
bit existed = 0, endedsaved = 0, wasdeleted = 0, entries = 0; byte made = 0;

#define STIR  dirty[0] = true; dirty[1] = true
#define BIT(u) (1 << (u-1))

inline madeBinding(owner) {
  printf("EV   binding create arrives, owner %d, now=%d led=%d endedsaved=%d wasdeleted=%d\n", owner, now, led, endedsaved, wasdeleted);
  assert(now < END || delivered);            /* sent in time, unless held up by the network */
#ifndef NO_A1
  assert(!led);                              /* A1 never granted once the ledger has the name */
#endif
#ifndef NO_A2
  assert(!endedsaved || rewound);            /* A2 never granted once its record said Ended */
#endif
#ifdef CHECK_A5
  assert(!endedsaved || rewound || owner != job);   /* A5 what is made after Ended has lost its owner: the collector takes it */
#endif
#ifndef NO_A3
  assert(!wasdeleted || rewound);            /* A3 never again once a binding of it was deleted */
#endif
  printf("EV binding %d made, owner %d, now=%d led=%d endedsaved=%d wasdeleted=%d\n", uid+1, owner, now, led, endedsaved, wasdeleted);
  uid++; assert(uid < MAXU); b = uid; bo = owner; bcont[uid] = owner; bforeign = 0; existed = 1; made++; STIR
}
inline dropBinding() {
  printf("EV   binding %d goes, now=%d\n", b, now);                        /* whoever deletes it */
  if :: !bforeign ->
     if :: alive[0] -> pend[0] = pend[0] | BIT(b) :: else fi;
     if :: alive[1] -> pend[1] = pend[1] | BIT(b) :: else fi;
     wasdeleted = 1
  :: else fi;
  b = 0; bo = 0; bforeign = 0; STIR
}
inline noteGone(a, u) {                       /* expirer.note */
  if :: !(gseen[a] & BIT(u)) -> gseen[a] = gseen[a] | BIT(u);
        if :: now < END -> gearly[a] = gearly[a] | BIT(u) :: else -> gexp[a] = gexp[a] | BIT(u) fi; dirty[a] = true
     :: else fi
}
/* one replica: r_* is its record, o_* what it observed */
#define LOCALS  mtype r_ph = NONE, r_cause = NONE, save_ph = NONE, save_cause = NONE; byte r_rv = 0, r_job = 0, r_b = 0, r_cc = 0, r_jc = 0; \
  byte o_job = 0, o_jc = 0, o_b = 0, o_bo = 0, o_seen = 0, o_early = 0, o_exp = 0, o_tip = 0; bit o_bf = 0, o_main = 0, o_req = 0, o_led = 0; \
  bit p_end = 0, p_grant = 0, p_deny = 0, p_close = 0, p_discard = 0, p_delb = 0, p_delj = 0, p_sweepb = 0, p_sweepj = 0, fresh = 0, have = 0, ownb = 0, ownj = 0, lost = 0, foreign = 0, over = 0, sent = 0, delivered = 0, newcc = 0, known = 0; \
  byte missing = 0, mseen = 0, d_b = 0, d_j = 0, old_cc = 0; mtype ans = NO, jd = OK

inline reset() { d_step { r_ph = NONE; r_cause = NONE; save_ph = NONE; save_cause = NONE; r_rv = 0; r_job = 0; r_b = 0; r_cc = 0; r_jc = 0;
  o_job = 0; o_jc = 0; o_b = 0; o_bo = 0; o_seen = 0; o_early = 0; o_exp = 0; o_tip = 0; o_bf = 0; o_main = 0; o_req = 0; o_led = 0;
  p_end = 0; p_grant = 0; p_deny = 0; p_close = 0; p_discard = 0; p_delb = 0; p_delj = 0; p_sweepb = 0; p_sweepj = 0; fresh = 0; have = 0; ownb = 0; ownj = 0; lost = 0; foreign = 0; over = 0; sent = 0; delivered = 0; newcc = 0; known = 0;
  missing = 0; mseen = 0; d_b = 0; d_j = 0; old_cc = 0; ans = NO; jd = OK; mid[me] = false } }

/* store the record; faithful: create fails when it is there, update needs the version, an update that changes nothing has no new version */
inline doSave() {
  if :: r_rv == 0 && ph != NONE -> ans = EXISTS
     :: r_rv == 0 && ph == NONE ->
#ifndef NO_A4
        assert(!(led && save_ph == GRANTING && now < END));     /* A4 no grant is begun once the ledger has the name */
#endif
        grv++; rv = grv; ph = save_ph; cause = save_cause; cjob = r_job; cb = r_b; cc = r_cc; cjc = r_jc; ans = OK; STIR
#ifdef MUT_NOSAVEPRE
     :: r_rv != 0 && ph != NONE ->
#else
     :: r_rv != 0 && (rv != r_rv || ph == NONE) -> ans = CONFL
     :: r_rv != 0 && rv == r_rv && ph != NONE ->
#endif
        assert(ph != ENDED || save_ph == ENDED);     /* A6 what ended never begins again */
        if :: ph == save_ph && cause == save_cause && cjob == r_job && cb == r_b && cc == r_cc && cjc == r_jc -> skip
           :: else -> grv++; rv = grv; ph = save_ph; cause = save_cause; cjob = r_job; cb = r_b; cc = r_cc; cjc = r_jc; STIR fi; ans = OK
  fi;
  if :: ans == OK && save_ph == ENDED -> endedsaved = 1 :: else fi
}
inline save(P, C) {
  atomic { save_ph = P; save_cause = C;
    if :: true -> doSave(); if :: ans == OK -> r_rv = rv :: else fi
       :: nerr > 0 -> nerr--; ans = FAIL                       /* never arrived */
       :: nerr > 0 -> nerr--; doSave(); ans = FAIL             /* done, answer lost */
       :: nlate > 0 && r_rv == 0 && P == GRANTING -> nlate--; ncm = 1; ans = FAIL
    fi; printf("EV R%d saves %e cause %e b=%d cc=%d job=%d: %e (now rv=%d ph=%e)\n", me, P, C, r_b, r_cc, r_job, ans, rv, ph) }
}
inline fail() { dirty[me] = true; goto over_ }

inline plan() { d_step {
  have = (r_ph != NONE);
  /* follow */
  if
  :: have && r_ph == ENDED ->
     if :: r_cause == NONE -> if :: known -> r_cause = REMOVED; p_end = 1; p_close = o_main :: else fi
        :: else -> p_close = o_main fi
  :: have && r_ph != ENDED ->
     /* examine: the Job */
     if :: o_job == 0 -> missing++; lost = lost || r_job != 0
        :: o_job != 0 && r_job == o_job -> ownj = 1
        :: o_job != 0 && r_job == 0 && o_jc == r_jc -> ownj = 1; r_job = o_job
        :: o_job != 0 && r_job == 0 && o_jc != r_jc -> missing++
        :: else -> missing++; lost = 1; foreign = 1 fi;
     /* the binding */
     if :: o_b == 0 -> missing++; lost = lost || r_b != 0
        :: o_b != 0 && r_b == o_b -> ownb = 1
        :: o_b != 0 && r_b == 0 && !o_bf && o_bo == r_cc && r_cc != 0 -> ownb = 1; r_b = o_b
        :: else -> missing++; lost = lost || r_b != 0; foreign = 1 fi;
     /* gone */
     mseen = 0;
     if :: r_b != 0 -> mseen = o_seen & BIT(r_b)
        :: r_b == 0 && r_cc != 0 ->
           if :: (o_seen & 1) && bcont[1] == r_cc -> mseen = mseen | 1 :: else fi;
           if :: (o_seen & 2) && bcont[2] == r_cc -> mseen = mseen | 2 :: else fi;
           if :: (o_seen & 4) && bcont[3] == r_cc -> mseen = mseen | 4 :: else fi;
           if :: (o_seen & 8) && bcont[4] == r_cc -> mseen = mseen | 8 :: else fi;
           if :: (o_seen & 16) && bcont[5] == r_cc -> mseen = mseen | 16 :: else fi;
           if :: (o_seen & 32) && bcont[6] == r_cc -> mseen = mseen | 32 :: else fi
        :: else fi;
     /* verdict */
     over = 1;
     if
#ifndef MUT_NOLEDGER
     :: o_main && o_led -> r_cause = REMOVED                     /* a name that the ledger has is over */
     :: !(o_main && o_led) && r_ph == ENDING && r_cause != NONE -> skip
     :: !(o_main && o_led) && r_ph == ENDING && r_cause == NONE -> if :: known -> r_cause = REMOVED :: else fi
#else
     :: r_ph == ENDING && r_cause != NONE -> skip
     :: r_ph == ENDING && r_cause == NONE -> if :: known -> r_cause = REMOVED :: else fi
#endif
     :: else ->
        if
        :: mseen & o_exp -> r_cause = EXPIRED
        :: else ->
           if
           :: now >= END && r_cc == 0 && mseen == 0 -> r_cause = LATEDENY
           :: else ->
              if
              :: now >= END && !(mseen & o_early) -> r_cause = EXPIRED
              :: else ->
                 if
                 :: o_main && !o_req -> if :: known -> r_cause = REMOVED :: else fi
                 :: else ->
                    if
                    :: foreign && r_ph == GRANTING && mseen == 0 -> r_cause = CONFLICT
                    :: else ->
                       if
                       :: lost || (missing > 0 && mseen) -> r_cause = DELETED
                       :: else ->
                          if
                          :: r_ph == GRANTING && missing > 0 && o_main && o_req && jd == NO -> r_cause = DENIED
                          :: else -> if :: now >= END -> r_cause = EXPIRED :: else -> over = 0 fi
                          fi
                       fi
                    fi
                 fi
              fi
           fi
        fi
     fi;
     if :: over -> p_end = 1; p_delb = ownb; p_delj = ownj; d_b = o_b; d_j = o_job; p_close = o_main && r_cause != NONE
        :: !over && r_ph == GRANTING && (missing == 0 || o_main && now < END && o_req && jd == OK) -> p_grant = 1
        :: else fi
  :: else
  fi;
  /* sweep: managed and claimed by nobody */
  if :: o_b != 0 && !o_bf && !ownb -> p_sweepb = 1; d_b = o_b :: else fi;
  if :: o_job != 0 && !ownj -> p_sweepj = 1; d_j = o_job :: else fi;
  /* consider */
  if :: !have && o_main && o_req ->
        if :: o_led -> p_discard = 1
           :: !o_led && jd == NO -> r_ph = ENDED; r_cause = DENIED; p_deny = 1; p_close = 1
           :: !o_led && jd == OK && now < END -> fresh = 1; p_grant = 1
           :: else -> r_ph = ENDED; r_cause = LATEDENY; p_deny = 1; p_close = 1 fi
     :: else fi
} }

inline delBinding(u) {
  atomic {
    if :: true -> ans = OK;
#ifdef MUT_NOUID
          if :: b != 0 -> assert(!bforeign); dropBinding() :: else fi
#else
          if :: b == u && u != 0 -> assert(!bforeign); dropBinding() :: else fi
#endif
       :: nerr > 0 -> nerr--; ans = FAIL
       :: nerr > 0 -> nerr--; if :: b == u && u != 0 -> dropBinding() :: else fi; ans = FAIL
    fi }
}
inline delJob(u) {
  atomic {
    if :: true -> ans = OK; if :: job == u && u != 0 -> job = 0; jc = 0; jdone = 0; STIR :: else fi
       :: nerr > 0 -> nerr--; ans = FAIL
    fi }
}
inline pushEntry(onlyremove) {                 /* Repository.Commit: compare and swap, fetch and build again */
  sent = 0;
again:
  if :: onlyremove && !o_req -> skip
     :: !onlyremove && !o_req && o_led -> skip
     :: else ->
     atomic {
       if
       :: true ->
#ifdef MUT_NOCAS
          if :: true ->
#else
          if :: tip == o_tip ->
#endif
             if :: !onlyremove && !o_led -> printf("EV R%d enters cause %e r_b=%d r_cc=%d existed=%d\n", me, r_cause, r_b, r_cc, existed); assert(!led); assert(entries == 0); led = 1; entries = 1; lcause = r_cause;
#ifdef MUT_UIDONLY
                   lgr = (r_cause == EXPIRED || r_b != 0);
#else
                   lgr = (r_cause == EXPIRED || r_b != 0 || (r_cc != 0 && r_cause != DENIED && r_cause != CONFLICT && r_cause != LATEDENY));
#endif
#ifndef NO_L1
                   assert(!existed || lgr || rewound);                       /* L1 what existed is in the ledger as granted */
#endif
#ifndef NO_L2
                   assert(!existed || (r_cause != DENIED && r_cause != CONFLICT && r_cause != LATEDENY) || rewound);  /* L2 nothing denied that was granted */
#endif
#ifdef CHECK_L3
                   assert(existed || !lgr || rewound);   /* L3 not said granted what never was (ADR 6 allows EXPIRED) */
#endif
                :: else fi;
             req = 0; tip++; STIR; ans = OK
             :: else -> ans = CONFL fi
          ; printf("EV R%d pushes: %e led=%d cause=%e\n", me, ans, led, lcause); if :: ans == OK && nerr > 0 -> nerr--; ans = FAIL :: true fi
       :: nerr > 0 -> nerr--; ans = FAIL
       fi };
     if :: ans == OK -> skip
        :: else -> atomic { o_tip = tip; o_req = req; o_led = led }; goto again
     fi
  fi
}

proctype Replica(byte me) {
  LOCALS;
start:
  do
  :: { /* --- one pass --- */
     atomic { dirty[me] && alive[me] && LEADS -> dirty[me] = false; mid[me] = true; o_seen = gseen[me]; o_early = gearly[me]; o_exp = gexp[me] };
     /* main: read at some time before the cluster */
     atomic { if :: true -> o_main = 1; o_req = req; o_led = led; o_tip = tip
        :: ngit > 0 -> ngit--; o_main = 0; dirty[me] = true fi;
        if :: ndeny > 0 -> ndeny--; jd = NO :: true -> jd = OK fi;
        known = 1 };
     /* observe: objects, then records, then what the records name */
     atomic { o_b = b; o_bo = bo; o_bf = bforeign; o_job = job; o_jc = jc };
     atomic { r_ph = ph; r_cause = cause; r_rv = rv; r_job = cjob; r_b = cb; r_cc = cc; r_jc = cjc;
        if :: ph == NONE -> r_rv = 0; r_cause = NONE; r_job = 0; r_b = 0; r_cc = 0; r_jc = 0 :: else fi;
        if :: ph != ENDED && ph != NONE && o_b == 0 -> o_b = b; o_bo = bo; o_bf = bforeign :: else fi;
        if :: ph != ENDED && ph != NONE && o_job == 0 -> o_job = job; o_jc = jc :: else fi;
        if :: o_bf && (ph == ENDED || ph == NONE) -> o_b = 0; o_bo = 0; o_bf = 0 :: else fi };
     plan(); printf("EV R%d plans: record %e cause %e b=%d cc=%d job=%d rv=%d | seen: b=%d job=%d main=%d req=%d led=%d | end=%d grant=%d fresh=%d deny=%d close=%d discard=%d sweep b%d j%d\n", me, r_ph, r_cause, r_b, r_cc, r_job, r_rv, o_b, o_job, o_main, o_req, o_led, p_end, p_grant, fresh, p_deny, p_close, p_discard, p_sweepb, p_sweepj);
     /* End */
     if :: p_end ->
           if :: (p_delb || p_delj) && r_cause != EXPIRED -> save(ENDING, r_cause)    /* announce; its error is ignored */
              :: else fi;
           if :: p_delb -> delBinding(d_b); if :: ans != OK -> fail() :: else fi :: else fi;
           if :: p_delj -> delJob(d_j); if :: ans != OK -> fail() :: else fi :: else fi;
           r_ph = ENDED; save(ENDED, r_cause); if :: ans != OK -> fail() :: else fi
        :: else fi;
     /* Sweep; not of the same grant for apply, so its error does not stop what follows */
     if :: p_sweepb -> delBinding(d_b); if :: ans != OK -> dirty[me] = true :: else fi :: else fi;
     if :: p_sweepj -> delJob(d_j); if :: ans != OK -> dirty[me] = true :: else fi :: else fi;
     /* Grant */
     if :: p_grant ->
           assert(!(o_main && o_led));            /* A7 nothing is granted that the branch says is over */
           old_cc = r_cc;
           /* backstop */
           if :: fresh -> r_job = 0; r_b = 0; r_cc = 0; r_jc = 0 :: else fi;
           if :: r_job == 0 -> if :: now >= END -> fail() :: else -> r_jc = now fi :: else fi;
#ifndef MUT_CREATEFIRST
           save(GRANTING, NONE); if :: ans != OK -> fail() :: else fi;
#endif
#ifndef MUT_NOLOOK
           if :: (r_job == 0 || r_b == 0) && (led || !req) -> fail() :: else fi;   /* latest.has */
#endif
           if :: r_job == 0 ->
              atomic {
                if :: job != 0 -> ans = EXISTS
                   :: job == 0 -> uid++; assert(uid < MAXU); job = uid; jc = r_jc; jdone = 0; STIR; r_job = job; ans = OK
                   :: job == 0 && nerr > 0 -> nerr--; ans = FAIL
                   :: job == 0 && nerr > 0 -> nerr--; uid++; job = uid; jc = r_jc; jdone = 0; STIR; ans = FAIL
                   :: job == 0 && nretry > 0 -> nretry--; uid++; job = uid; jc = r_jc; jdone = 0; STIR; ans = EXISTS
                fi };
              printf("EV R%d creates Job: %e\n", me, ans);
#ifdef MUT_NOADOPT
              if :: ans == EXISTS && fresh -> goto refuse
                 :: ans != OK && !(ans == EXISTS && fresh) -> fail()
                 :: else fi
#else
              atomic { if :: ans == EXISTS && job != 0 && jc == r_jc -> r_job = job; ans = OK :: else fi };
              if :: ans != OK -> fail() :: else fi
#endif
              :: else fi;
           /* armed */
           if :: job == r_job && jdone -> skip
              :: job != r_job -> fail()
           fi;
           /* own: announce */
           if :: r_b == 0 -> r_cc = r_job :: else fi;
#ifndef MUT_NOANNOUNCE
           save(GRANTING, NONE); if :: ans != OK -> fail() :: else fi;
#endif
           if :: r_b == 0 ->
              atomic { delivered = 0;
                if :: now >= END -> ans = NO                                     /* errTooLate */
                   :: now < END && nrefuse > 0 -> nrefuse--; ans = NO            /* Forbidden */
                   :: now < END && b != 0 -> ans = EXISTS
                   :: now < END && b == 0 -> madeBinding(r_job); r_b = b; ans = OK
                   :: now < END && nerr > 0 -> nerr--; ans = FAIL
                   :: now < END && b == 0 && nerr > 0 -> nerr--; madeBinding(r_job); ans = FAIL
                   :: now < END && b == 0 && nretry > 0 -> nretry--; madeBinding(r_job); ans = EXISTS
                   :: now < END && nlate > 0 && nb == 0 -> nlate--; nb = r_job; ans = FAIL
                fi };
              printf("EV R%d creates binding: %e nb=%d\n", me, ans, nb);
#ifdef MUT_NOADOPT
              foreign = (ans == EXISTS);
#else
              atomic { foreign = (ans == EXISTS && bforeign);
                       if :: ans == EXISTS && b != 0 && !bforeign && bo == r_cc -> r_b = b; ans = OK :: else fi };
#endif
              if :: ans == OK -> skip
                 :: ans == EXISTS && fresh && foreign ->
refuse:            r_cause = CONFLICT; save(ENDING, CONFLICT);
                   if :: r_b != 0 -> delBinding(r_b); if :: ans != OK -> fail() :: else fi :: else fi;
                   if :: r_job != 0 -> delJob(r_job); if :: ans != OK -> fail() :: else fi :: else fi;
                   r_ph = ENDED; save(ENDED, CONFLICT); fail()
                 :: ans == NO ->
#ifdef MUT_CLEARALL
                   r_cc = 0;
#else
                   r_cc = old_cc;                                  /* what an earlier try announced stays */
#endif
                   save(GRANTING, NONE); fail()
                 :: else -> fail()
              fi
              :: else fi;
           r_ph = GRANTED; save(GRANTED, NONE); if :: ans != OK -> fail() :: else fi
        :: else fi;
     if :: p_deny -> save(ENDED, r_cause); if :: ans != OK -> fail() :: else fi :: else fi;
     /* Enter, Forget, Discard */
     if :: p_close -> pushEntry(0);
           atomic {
             if :: true -> if :: ph == NONE -> skip
                    :: ph != NONE && rv == r_rv -> ph = NONE; cause = NONE; rv = 0; cjob = 0; cb = 0; cc = 0; cjc = 0; STIR
                    :: else -> dirty[me] = true fi
                :: nerr > 0 -> nerr--; dirty[me] = true
             fi }
        :: p_discard -> 
           /* Discard: remove the file only */
           atomic { if :: tip == o_tip && req -> req = 0; tip++; STIR :: else -> dirty[me] = true fi }
        :: else fi;
over_: skip;
     reset()
     } unless { crash[me] }
     ; if :: atomic { crash[me] -> crash[me] = false; reset() } :: else fi
  od
}

proctype Environment() {
  do
  /* watches tell */
  :: atomic { alive[0] && pend[0] -> 
       if :: pend[0] & 1 -> pend[0] = pend[0] & ~1; noteGone(0, 1) :: pend[0] & 2 -> pend[0] = pend[0] & ~2; noteGone(0, 2)
          :: pend[0] & 4 -> pend[0] = pend[0] & ~4; noteGone(0, 3) :: pend[0] & 8 -> pend[0] = pend[0] & ~8; noteGone(0, 4)
          :: pend[0] & 16 -> pend[0] = pend[0] & ~16; noteGone(0, 5) :: pend[0] & 32 -> pend[0] = pend[0] & ~32; noteGone(0, 6) :: pend[0] & 64 -> pend[0] = pend[0] & ~64; noteGone(0, 7) fi }
  :: atomic { alive[1] && pend[1] -> 
       if :: pend[1] & 1 -> pend[1] = pend[1] & ~1; noteGone(1, 1) :: pend[1] & 2 -> pend[1] = pend[1] & ~2; noteGone(1, 2)
          :: pend[1] & 4 -> pend[1] = pend[1] & ~4; noteGone(1, 3) :: pend[1] & 8 -> pend[1] = pend[1] & ~8; noteGone(1, 4)
          :: pend[1] & 16 -> pend[1] = pend[1] & ~16; noteGone(1, 5) :: pend[1] & 32 -> pend[1] = pend[1] & ~32; noteGone(1, 6) :: pend[1] & 64 -> pend[1] = pend[1] & ~64; noteGone(1, 7) fi }
  /* expirers: whoever lives */
#ifndef MUT_NOEXPIRER
  :: atomic { now >= END && b != 0 && !bforeign && alive[0] -> dropBinding() }
  :: atomic { now >= END && b != 0 && !bforeign && alive[1] -> dropBinding() }
#endif
  /* controllers */
  :: atomic { job != 0 && !jdone -> jdone = 1 }
#ifndef MUT_NOTTL
  :: atomic { job != 0 && jdone && now >= END + 1 -> job = 0; jc = 0; jdone = 0; STIR }
#endif
  :: atomic { b != 0 && !bforeign && bo != job -> dropBinding() }
  /* the network delivers */
  :: atomic { nb != 0 && b == 0 -> bit delivered = 1; madeBinding(nb); nb = 0 }
  :: atomic { nb != 0 -> nb = 0 }
  :: atomic { ncm && ph == NONE -> grv++; rv = grv; ph = GRANTING; ncm = 0; STIR }
  :: atomic { ncm -> ncm = 0 }
  /* time: not while somebody who lives could end it, nor past the backstop while the controllers could */
  :: atomic { now == 1 -> printf("EV time: END\n"); now = 2; STIR }
  :: atomic { now == 2 && (NOEXP || !(b != 0 && !bforeign && (alive[0] || alive[1]))) -> assert(b == 0 || bforeign || (!alive[0] && !alive[1]));   /* B1 while somebody lives */ printf("EV time: END+1\n"); now = 3; STIR }
  :: atomic { now == 3 && (NOTTL || job == 0 && !(b != 0 && !bforeign && (bo != job || alive[0] || alive[1]))) -> 
#ifdef CHECK_BOUND
       assert(b == 0 || bforeign);
#endif
       printf("EV time: LAST\n"); now = 4; STIR }
  /* people */
  :: atomic { nwith > 0 && req -> printf("EV request removed\n"); nwith--; req = 0; tip++; STIR }
  :: atomic { nreplay > 0 && !req -> printf("EV request file is back\n"); nreplay--; req = 1; tip++; STIR }
  :: atomic { nthird > 0 && b != 0 && !bforeign -> nthird--; printf("EV third party deletes binding\n"); dropBinding() }
  :: atomic { nthird > 0 && job != 0 -> nthird--; printf("EV third party deletes Job\n"); job = 0; jc = 0; jdone = 0; STIR }
#ifdef THIRD_CM
  :: atomic { nthird > 0 && ph != NONE -> nthird--; printf("EV third party deletes ConfigMap\n"); ph = NONE; cause = NONE; rv = 0; cjob = 0; cb = 0; cc = 0; cjc = 0; rewound = 1; STIR }
#endif
  :: atomic { nforeign > 0 && b == 0 -> nforeign--; uid++; b = uid; bo = 0; bforeign = 1; STIR }
  /* crash, restart, Lease */
  :: atomic { ncrash > 0 && alive[0] -> ncrash--; printf("EV R0 dies\n"); alive[0] = false; gseen[0] = 0; gearly[0] = 0; gexp[0] = 0; pend[0] = 0; crash[0] = mid[0] }
  :: atomic { ncrash > 0 && alive[1] -> ncrash--; printf("EV R1 dies\n"); alive[1] = false; gseen[1] = 0; gearly[1] = 0; gexp[1] = 0; pend[1] = 0; crash[1] = mid[1] }
  :: atomic { !alive[0] && !crash[0] -> printf("EV R0 starts\n"); alive[0] = true; dirty[0] = true }
#if NAGENTS > 1
  :: atomic { !alive[1] && !crash[1] -> printf("EV R1 starts\n"); alive[1] = true; dirty[1] = true }
#ifndef TWO
  :: atomic { leader == 0 && !mid[0] && (!alive[0] || ncrash > 0 ) -> leader = 1; dirty[1] = true }
  :: atomic { leader == 1 && !mid[1] && (!alive[1] || ncrash > 0 ) -> leader = 0; dirty[0] = true }
#endif
#endif
  /* state of the cluster restored from a backup */
#if REWIND > 0
  :: atomic { !snapped && nrewind > 0 -> printf("EV snapshot taken\n"); snapped = 1; s_ph = ph; s_cause = cause; s_rv = rv; s_cjob = cjob; s_cb = cb; s_cc = cc; s_cjc = cjc; s_grv = grv; s_job = job; s_jc = jc; s_jdone = jdone; s_b = b; s_bo = bo; s_bforeign = bforeign }
  :: atomic { snapped && nrewind > 0 -> printf("EV snapshot restored\n"); nrewind--; rewound = 1; ph = s_ph; cause = s_cause; rv = s_rv; cjob = s_cjob; cb = s_cb; cc = s_cc; cjc = s_cjc; grv = s_grv; job = s_job; jc = s_jc; jdone = s_jdone; b = s_b; bo = s_bo; bforeign = s_bforeign; STIR }
#endif
  od
}

/* nothing more happens: what must hold in the end */
proctype Rest() {
  timeout -> 
    assert(now == LAST);
    assert(b == 0 || bforeign);              /* E1 no access left */
    assert(job == 0);                        /* E2 no Job left */
    assert(ph == NONE);                      /* E3 no record left: it is in the ledger */
    assert(!req);                            /* E4 the request is off the branch */
    assert(!existed || led || rewound)       /* E5 every grant that existed is in the ledger (once: entries) */
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
