------------------------------ MODULE Recovery ------------------------------
(***************************************************************************)
(* One shard, its partition's log, Redis and the processes that may own    *)
(* it: how an owner opens the partition, what a script call checks, when   *)
(* an answer is given. The code is services/issuing/src/owner and          *)
(* packages/redis/src/scripts; docs/recovery.md explains both.             *)
(*                                                                         *)
(* A process that stands still for any time is one that takes no step. A   *)
(* lost reply, a time-out, a mismatch and a kill are one step, `GiveUp`:   *)
(* everything in the process's memory is forgotten, and it, or another,    *)
(* opens again. What it had sent is still under way. A disturbed opening   *)
(* of the shard begins anew under its marker: `LookAgain`, `CountAgain`.   *)
(*                                                                         *)
(* What a server or a process refuses to go on with is a `Guarded`          *)
(* condition, and a check takes it out. The plain ones say what a step is: *)
(* which phase it belongs to, what it waits for, what can be known at all. *)
(***************************************************************************)
EXTENDS Counting, TLC

CONSTANTS
  Processes, Keys,
  Stock,           \* coupons that the shard may issue
  OpeningsMax,     \* markers in the log at most
  FaultsMax,       \* Redis faults at most
  Faults,          \* which: subset of {"wipe", "truncate", "failover"}
  ConnectBack,     \* connections move from the new master to the old one too
  SentTwice,       \* the client sends a script again, to the other master, after a cut
  DatabaseAway,    \* openings may find PostgreSQL away and go by Redis' headers
  LoadSteps,       \* steps of a load between its beginning and its end
  Draining,        \* an owner may finish what is under way before it gives the partition up
  Disturbed        \* the shard's opening may begin anew under its marker

VARIABLES
  log,       \* its messages, kept only where an opening may have to read them from a place of its own
  count,     \* what counts of all that was written
  server,    \* two Redis servers; 2 is the replica of 1 until a failover
  master,    \* the one that new connections reach
  reached,   \* the one that a process's connection reaches
  process,   \* what each process knows
  sent,      \* messages on their way to the log: each may be written at any time, or never
  told,      \* the longest chain that an answer rested on
  torn,      \* an answer rested on a chain that is neither a part nor a continuation of that
  faults

vars == <<log, count, server, master, reached, process, sent, told, torn, faults>>

----------------------------------------------------------------------------
\* A shard in Redis: its header's epoch, the chain that the header's number and hash stand for, what is trimmed from the
\* outbox. `token`: of the load that is in progress, 0 for none; `parts`: the loads that the steps done came from.
\* `whole`: buckets, pages and records are what the header says.
NoShard == [up |-> FALSE, epoch |-> 0, chain |-> <<>>, durable |-> 0, token |-> 0, parts |-> <<>>, whole |-> TRUE]
Shard(epoch, chain, durable, whole) ==
  [NoShard EXCEPT !.up = TRUE, !.epoch = epoch, !.chain = chain, !.durable = durable, !.whole = whole]

\* `alone`: nobody has written since its last message in the log, so the next one gets the offset right after.
\* `chain`: what its last script call left, which it knows by the hash of the last entry.
Idle == [phase |-> "idle", epoch |-> 0, alone |-> FALSE, chain |-> <<>>, durable |-> 0,
         unsent |-> <<>>, awaited |-> <<>>, acknowledged |-> "no",
         counted |-> <<>>, floor |-> 0, floorOf |-> 0, hash |-> TRUE, step |-> 0,
         header |-> NoShard, outbox |-> <<>>]

Init ==
  /\ log = <<>> /\ count = NothingCounted
  /\ server = [s \in {1, 2} |-> NoShard] /\ master = 1
  /\ reached = [p \in Processes |-> 1]
  /\ process = [p \in Processes |-> Idle]
  /\ sent = {} /\ told = <<>> /\ torn = FALSE /\ faults = 0

Set(p, record) == process' = [process EXCEPT ![p] = record]

\* The log takes a message of p's, whose record becomes `record`.
Write(message, p, record) ==
  /\ log' = IF DatabaseAway THEN Append(log, message) ELSE log
  /\ count' = Count(count, message)
  /\ process' = [q \in Processes |-> IF q = p THEN record ELSE [process[q] EXCEPT !.alone = FALSE]]

\* Somebody gets an answer that rests on `chain`; on nothing at all, where what was looked at is not `whole`.
TellOf(chain, whole) ==
  /\ told' = IF IsPrefix(told, chain) THEN chain ELSE told
  /\ torn' = (torn \/ ~whole \/ ~(IsPrefix(told, chain) \/ IsPrefix(chain, told)))

Tell(chain) == TellOf(chain, TRUE)
Tells(yes, chain) == IF yes THEN Tell(chain) ELSE UNCHANGED <<told, torn>>

Here(p) == server[reached[p]]
SetHere(p, shard) == server' = [server EXCEPT ![reached[p]] = shard]

UnchangedLog == UNCHANGED <<log, count>>
UnchangedWorld == UNCHANGED <<master, reached, faults>>

----------------------------------------------------------------------------
\* Opening.

\* 1. The marker; 2. what counts up to it. Reading first and marking later is the guard taken out.
Mark(p) ==
  LET self == process[p]
      epoch == count.epoch + 1
      early == ~Guarded("marker_first")
  IN /\ self.phase = (IF early THEN "marking" ELSE "idle") /\ epoch <= OpeningsMax
     /\ Write(Marker(epoch), p, [(IF early THEN self ELSE Idle) EXCEPT
            !.phase = IF DatabaseAway THEN "base" ELSE "header",
            !.epoch = epoch, !.alone = TRUE,
            !.counted = IF early THEN @ ELSE count.entries])
     /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedWorld

ReadBeforeMark(p) ==
  /\ ~Guarded("marker_first") /\ process[p].phase = "idle"
  /\ Set(p, [Idle EXCEPT !.phase = "marking", !.counted = count.entries])
  /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* The base of counting is the ledger's position: everything is known.
BaseOfLedger(p) ==
  /\ process[p].phase = "base"
  /\ Set(p, [process[p] EXCEPT !.phase = "header"])
  /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

RECURSIVE CountStretch(_, _, _)
CountStretch(counting, at, end) ==
  LET message == log[at]
      next == IF IsMarker(message) THEN [counting EXCEPT !.epoch = message.epoch]
              ELSE IF Guarded("count_epoch") /\ message.epoch # counting.epoch THEN counting
              ELSE IF Len(message.chain) = counting.number + 1
                THEN [counting EXCEPT !.number = @ + 1, !.entries = message.chain]
              ELSE IF Len(message.chain) <= counting.number THEN counting
              ELSE [counting EXCEPT !.gap = TRUE]
  IN IF message = Marker(end) THEN counting ELSE CountStretch(next, at + 1, end)

PlaceOf(epoch) == CHOOSE at \in 1 .. Len(log) : log[at] = Marker(epoch)

\* PostgreSQL is away: from the marker that the header names, on from the number that it knows to be durable.
\* Where the stretch shows none of the shard's entries, the last one's hash is not known. A gap fails the opening.
BaseOfHeader(p) ==
  LET self == process[p]
      shard == Here(p)
      start == [epoch |-> 0, number |-> shard.durable, entries |-> <<>>, gap |-> FALSE]
      stretch == CountStretch(start, PlaceOf(shard.epoch), self.epoch)
  IN /\ self.phase = "base" /\ shard.up /\ shard.epoch < self.epoch
     /\ Guarded("gap_fails") => ~stretch.gap
     /\ Set(p, IF stretch.entries # <<>>
          THEN [self EXCEPT !.phase = "header", !.counted = stretch.entries, !.floor = shard.durable]
          ELSE [self EXCEPT !.phase = "header", !.counted = SubSeq(shard.chain, 1, shard.durable),
                            !.floor = shard.durable, !.floorOf = shard.epoch, !.hash = FALSE])
     /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* 3. Bring Redis to the last counted entry.
SameAsCounted(self, chain) == ~Guarded("hash") \/ ~self.hash \/ chain = self.counted

\* `outbox`: what Redis had ahead of the log, to be sent in front of all else; what counts of it already is `durable`.
Serve(self, chain) ==
  [self EXCEPT !.phase = "serving", !.chain = chain, !.durable = IF self.outbox = <<>> THEN Len(chain) ELSE @,
               !.counted = <<>>, !.floor = 0, !.floorOf = 0, !.hash = TRUE, !.step = 0, !.header = NoShard]

Rebuild(self) == [self EXCEPT !.phase = "rebuilding", !.header = NoShard, !.outbox = <<>>]
Ready(self, chain) == [self EXCEPT !.phase = "ready", !.chain = chain]

\* A number that is only known to be durable is not the last that counts: with the header that told it, which was
\* opened with all before its epoch settled, it is enough; without it, it is not.
StillBased(self, shard) == ~Guarded("base_header") \/ self.hash \/ (shard.up /\ shard.epoch = self.floorOf)
MayRebuild(self) == ~Guarded("base_header") \/ self.hash

ReadHeader(p) ==
  LET self == process[p]
      shard == Here(p)
      last == Len(self.counted)
      have == Len(shard.chain)
      seen == [self EXCEPT !.header = [shard EXCEPT !.durable = 0]]
  IN /\ self.phase = "header" /\ StillBased(self, shard)
     /\ \/ ~shard.up /\ last = 0 /\ Set(p, Ready(seen, <<>>))
        \/ ~shard.up /\ last > 0 /\ Set(p, Rebuild(self))
        \/ shard.up /\ have = last
           /\ Set(p, IF SameAsCounted(self, shard.chain) THEN Ready(seen, shard.chain) ELSE Rebuild(self))
        \/ shard.up /\ have < last /\ Guarded("redo")
           /\ \/ have >= self.floor /\ Set(p, [seen EXCEPT !.phase = "redoing"])
              \/ Set(p, Rebuild(self))  \* the ledger is further than Redis: the entries between were not read
        \/ shard.up /\ have < last /\ ~Guarded("redo") /\ Set(p, Ready(seen, shard.chain))
        \/ shard.up /\ have > last /\ (Guarded("later_owner") => shard.epoch < self.epoch)
           /\ Set(p, IF Guarded("resend") THEN [seen EXCEPT !.phase = "ahead"] ELSE Ready(seen, shard.chain))
     /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* redo.lua: one entry, onto exactly the one before it. The header then has the hash of that entry's text.
Redo(p) ==
  LET self == process[p]
      shard == Here(p)
      number == Len(self.header.chain) + 1
      before == SubSeq(self.counted, 1, number - 1)
      next == SubSeq(self.counted, 1, number)
      fits == /\ shard.up
              /\ Guarded("redo_epoch") => shard.epoch = self.header.epoch
              /\ IF Guarded("redo_hash") THEN shard.chain = before ELSE Len(shard.chain) = number - 1
      moved == [self EXCEPT !.header.chain = next]
  IN /\ self.phase = "redoing"
     /\ \/ /\ fits
           /\ SetHere(p, Shard(shard.epoch, next, number, shard.whole /\ shard.chain = before))
           /\ Set(p, IF number = Len(self.counted) THEN Ready(moved, next) ELSE moved)
        \/ ~fits /\ Set(p, Rebuild(self)) /\ UNCHANGED server
     /\ UNCHANGED <<sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

ReadOutbox(p) ==
  LET self == process[p]
      shard == Here(p)
      last == Len(self.counted)
      links == /\ shard.up /\ Len(shard.chain) > last
               /\ Guarded("outbox_whole") => Len(shard.chain) = Len(self.header.chain) /\ shard.durable <= last
               /\ Guarded("outbox_hash") => ~self.hash \/ SubSeq(shard.chain, 1, last) = self.counted
  IN /\ self.phase = "ahead"
     /\ Set(p, IF links THEN [Ready(self, shard.chain) EXCEPT !.durable = last, !.outbox = shard.chain]
                        ELSE Rebuild(self))
     /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* The shard could not be reached, or changed: nobody else writes what counts after the marker, so what was counted up
\* to it stays what counts, and the shard is looked at anew.
LookAgain(p) ==
  LET self == process[p] IN
  /\ Disturbed /\ self.phase \in {"redoing", "ahead", "ready"}
  /\ Set(p, [self EXCEPT !.phase = "header", !.chain = <<>>, !.durable = 0, !.header = NoShard, !.outbox = <<>>])
  /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* What counts was not known well enough for the shard that is here: it is counted up to the same marker again, from
\* wherever that can be done by now.
CountAgain(p) ==
  LET self == process[p]
      beginning == [epoch |-> 0, number |-> 0, entries |-> <<>>, gap |-> FALSE]
  IN /\ Disturbed /\ DatabaseAway /\ self.phase \in {"header", "rebuilding"} /\ ~self.hash
     /\ Set(p, [self EXCEPT !.phase = "base", !.floor = 0, !.floorOf = 0, !.hash = TRUE,
                            !.counted = CountStretch(beginning, 1, self.epoch).entries])
     /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* 4. open.lua: compare-and-set of the epoch. A fresh shard is made where there is none, nor the rest of one.
Open(p) ==
  LET self == process[p]
      shard == Here(p)
      asSeen ==
        IF self.header.up
        THEN /\ shard.up
             /\ Guarded("open_epoch") => shard.epoch = self.header.epoch
             /\ IF Guarded("open_hash") THEN shard.chain = self.chain ELSE Len(shard.chain) = Len(self.chain)
        ELSE ~shard.up /\ (Guarded("open_nothing") => shard.token = 0)
      fresh == [Shard(self.epoch, <<>>, 0, shard.parts = <<>>) EXCEPT !.token = shard.token, !.parts = shard.parts]
  IN /\ self.phase = "ready" /\ asSeen
     /\ SetHere(p, IF shard.up THEN [shard EXCEPT !.epoch = self.epoch] ELSE fresh)
     /\ Set(p, Serve(self, self.chain))
     /\ UNCHANGED <<sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* A rebuild waits until the ledger has applied the last counted entry (it may be anywhere in what counts), and reads
\* the image in one snapshot. load-begin.lua takes the shard out of service and puts the token, here the opening's
\* epoch; what was there is erased. A header left in service would be found by the next opening, over an empty shard.
BeginLoad(p) ==
  LET self == process[p]
      shard == Here(p)
      begun == [NoShard EXCEPT !.token = self.epoch]
  IN /\ self.phase = "rebuilding"
     /\ MayRebuild(self)
     /\ SetHere(p, IF Guarded("load_unserves") \/ ~shard.up THEN begun
                   ELSE [shard EXCEPT !.token = self.epoch, !.parts = <<>>, !.whole = FALSE])
     /\ \E applied \in 0 .. Len(count.entries) :
          /\ Guarded("ledger_has_it") => applied = Len(self.counted)
          /\ Set(p, [self EXCEPT !.phase = "loading", !.chain = SubSeq(count.entries, 1, applied), !.step = 0])
     /\ UNCHANGED <<sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* Two loads divide the same image differently, so that one's steps among another's leave holes and doubles.
IsOurs(self, shard) == /\ Guarded("load_token") => shard.token = self.epoch
                       /\ Guarded("load_step") => shard.token # 0 /\ Len(shard.parts) = self.step

LoadStep(p) ==
  LET self == process[p]
      shard == Here(p)
  IN /\ self.phase = "loading" /\ self.step < LoadSteps /\ IsOurs(self, shard)
     /\ SetHere(p, [shard EXCEPT !.parts = Append(@, self.epoch)])
     /\ Set(p, [self EXCEPT !.step = @ + 1])
     /\ UNCHANGED <<sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* Several steps are under way at a time: those behind a lost one have left before it is known.
LoseStep(p) ==
  /\ process[p].phase = "loading" /\ process[p].step < LoadSteps
  /\ Set(p, [process[p] EXCEPT !.step = @ + 1])
  /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* load-finish.lua: the header, with its epoch, comes last.
FinishLoad(p) ==
  LET self == process[p]
      shard == Here(p)
      isWhole == shard.parts = [i \in 1 .. LoadSteps |-> self.epoch]
  IN /\ self.phase = "loading" /\ self.step = LoadSteps /\ IsOurs(self, shard)
     /\ SetHere(p, Shard(self.epoch, self.chain, Len(self.chain), isWhole))
     /\ Set(p, Serve(self, self.chain))
     /\ UNCHANGED <<sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

----------------------------------------------------------------------------
\* Serving.

Expected(self, shard) ==
  /\ shard.up
  /\ Guarded("script_entry") =>
       IF Guarded("script_hash") THEN shard.chain = self.chain ELSE Len(shard.chain) = Len(self.chain)
  /\ Guarded("script_epoch") => shard.epoch = self.epoch

\* The outbox goes first: no script call is made before it has left.
Resend(p) ==
  LET self == process[p]
      chain == SubSeq(self.outbox, 1, self.durable + 1)
  IN /\ self.phase \in {"serving", "draining"} /\ self.outbox # <<>> /\ self.awaited = <<>>
     /\ sent' = sent \cup {[by |-> p, epoch |-> self.epoch, chain |-> chain]}
     /\ Set(p, [self EXCEPT !.awaited = chain, !.outbox = IF chain = @ THEN <<>> ELSE @])
     /\ UNCHANGED <<server, told, torn>> /\ UnchangedLog /\ UnchangedWorld

HasLeft(self) == self.unsent = <<>> /\ self.outbox = <<>>

Has(chain, key) == \E i \in 1 .. Len(chain) : chain[i].key = key

\* One script call for one key, and its reply. An entry that two servers wrote is two entries: their times differ.
Trimmed(self, shard) == [shard EXCEPT !.durable = IF self.durable > @ THEN self.durable ELSE @]
Issued(self, shard, key, s) == [Trimmed(self, shard) EXCEPT !.chain = Append(@, [key |-> key, epoch |-> self.epoch, at |-> s])]

Issue(p, key) ==
  LET self == process[p]
      shard == Here(p)
      after == Issued(self, shard, key, reached[p])
  IN /\ self.phase = "serving" /\ HasLeft(self) /\ Expected(self, shard)
     /\ Guarded("durable_within") => self.durable <= Len(shard.chain)
     /\ ~Has(shard.chain, key) /\ Len(shard.chain) < Stock
     /\ SetHere(p, after)
     /\ Set(p, [self EXCEPT !.chain = after.chain, !.unsent = after.chain])
     /\ Tells(~Guarded("answer_after_append"), after.chain)
     /\ UNCHANGED sent /\ UnchangedLog /\ UnchangedWorld

\* The connection was cut after the script ran on one server, and the client ran it again on the other.
IssueTwice(p, key) ==
  LET self == process[p]
      first == Here(p)
      s == 3 - reached[p]
      after == Issued(self, server[s], key, s)
  IN /\ SentTwice /\ master = 2 /\ (s = 2 \/ ConnectBack)
     /\ self.phase = "serving" /\ HasLeft(self)
     /\ Expected(self, first) /\ Expected(self, server[s])
     /\ ~Has(first.chain, key) /\ Len(first.chain) < Stock
     /\ ~Has(server[s].chain, key) /\ Len(server[s].chain) < Stock
     /\ server' = [server EXCEPT ![s] = after, ![reached[p]] = Issued(self, first, key, reached[p])]
     /\ reached' = [reached EXCEPT ![p] = s]
     /\ Set(p, [self EXCEPT !.chain = after.chain, !.unsent = after.chain])
     /\ UNCHANGED <<sent, told, torn, master, faults>> /\ UnchangedLog

\* A replay or a refusal changes nothing; it is answered at once if what it rests on is durable, else with that.
Look(p) ==
  LET self == process[p]
      shard == Here(p)
  IN /\ self.phase = "serving" /\ HasLeft(self) /\ Expected(self, shard)
     /\ shard.chain # <<>> \/ ~shard.whole
     /\ Len(shard.chain) <= self.durable \/ ~Guarded("replay_when_durable")
     /\ TellOf(shard.chain, shard.whole)
     /\ UNCHANGED <<server, process, sent>> /\ UnchangedLog /\ UnchangedWorld

\* One produce is in flight, so that entries are written in the order of their numbers.
Send(p) ==
  LET self == process[p] IN
  /\ self.phase \in {"serving", "draining"} /\ self.unsent # <<>>
  /\ Guarded("one_in_flight") => self.awaited = <<>>
  /\ sent' = sent \cup {[by |-> p, epoch |-> self.epoch, chain |-> self.unsent]}
  /\ Set(p, [self EXCEPT !.awaited = self.unsent, !.unsent = <<>>])
  /\ UNCHANGED <<server, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* An acknowledgement belongs to its message: one of another epoch is nobody's any more.
LandOne(message) ==
  LET p == message.by
      self == process[p]
      waits == self.epoch = message.epoch /\ self.awaited = message.chain /\ self.acknowledged = "no"
  IN /\ Write(Entry(message.epoch, message.chain), p,
          IF waits THEN [self EXCEPT !.acknowledged = IF self.alone THEN "follows" ELSE "later", !.alone = TRUE]
                   ELSE [self EXCEPT !.alone = FALSE])
     /\ sent' = sent \ {message}
     /\ UNCHANGED <<server, told, torn>> /\ UnchangedWorld

Land == \E message \in sent : LandOne(message)

Acknowledge(p) ==
  LET self == process[p]
      number == Len(self.awaited)
      on == [self EXCEPT !.durable = number, !.awaited = <<>>, !.acknowledged = "no"]
  IN /\ self.acknowledged # "no"
     /\ Guarded("offset_follows") => self.acknowledged = "follows"
     /\ self.phase \in {"serving", "draining"}
     /\ Set(p, on) /\ Tell(self.awaited)
     /\ UNCHANGED <<server, sent>> /\ UnchangedLog /\ UnchangedWorld

\* The partition is to be another's: nothing is begun any more, what is under way goes on.
Drain(p) ==
  LET self == process[p] IN
  /\ Draining /\ self.phase = "serving" /\ (~HasLeft(self) \/ self.awaited # <<>>)
  /\ Set(p, [self EXCEPT !.phase = "draining"])
  /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

\* A send that fails meanwhile ends it at once, which is `GiveUp`; without the guard what is behind it goes out.
DrainOn(p) ==
  LET self == process[p] IN
  /\ ~Guarded("drain_stops") /\ self.phase = "draining" /\ self.awaited # <<>>
  /\ Set(p, [self EXCEPT !.awaited = <<>>, !.acknowledged = "no"])
  /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

GiveUp(p) ==
  /\ process[p].phase # "idle"
  /\ Set(p, Idle)
  /\ UNCHANGED <<server, sent, told, torn>> /\ UnchangedLog /\ UnchangedWorld

----------------------------------------------------------------------------
\* Redis' faults.

UnchangedButRedis == UNCHANGED <<process, sent, told, torn>> /\ UnchangedLog

\* The replica, or what a restart finds on disk, is what it was when it was last brought up to date.
Replicate ==
  /\ master = 1 /\ faults < FaultsMax /\ server[2] # server[1]
  /\ server' = [server EXCEPT ![2] = server[1]]
  /\ UNCHANGED <<master, reached, faults>> /\ UnchangedButRedis

Truncate ==
  /\ "truncate" \in Faults /\ faults < FaultsMax /\ master = 1 /\ server[2] # server[1]
  /\ server' = [server EXCEPT ![1] = server[2], ![2] = IF faults + 1 = FaultsMax THEN NoShard ELSE @]
  /\ faults' = faults + 1
  /\ UNCHANGED <<master, reached>> /\ UnchangedButRedis

Wipe ==
  /\ "wipe" \in Faults /\ faults < FaultsMax /\ server[master] # NoShard
  /\ server' = [server EXCEPT ![master] = NoShard, ![2] = IF master = 2 \/ faults + 1 = FaultsMax THEN NoShard ELSE @]
  /\ faults' = faults + 1
  /\ UNCHANGED <<master, reached>> /\ UnchangedButRedis

\* The replica becomes the master. The old one goes on answering those who are still connected to it.
Failover ==
  /\ "failover" \in Faults /\ faults < FaultsMax /\ master = 1
  /\ master' = 2 /\ faults' = faults + 1
  /\ UNCHANGED <<server, reached>> /\ UnchangedButRedis

Reconnect(p) ==
  /\ master = 2
  /\ reached[p] = 1 \/ ConnectBack
  /\ reached' = [reached EXCEPT ![p] = 3 - @]
  /\ UNCHANGED <<server, master, faults>> /\ UnchangedButRedis

----------------------------------------------------------------------------
Next ==
  \/ \E p \in Processes :
       \/ Mark(p) \/ ReadBeforeMark(p) \/ BaseOfLedger(p) \/ BaseOfHeader(p) \/ ReadHeader(p)
       \/ Redo(p) \/ ReadOutbox(p) \/ LookAgain(p) \/ CountAgain(p) \/ Open(p) \/ Resend(p)
       \/ BeginLoad(p) \/ LoadStep(p) \/ LoseStep(p) \/ FinishLoad(p)
       \/ \E key \in Keys : Issue(p, key) \/ IssueTwice(p, key)
       \/ Look(p) \/ Send(p) \/ Acknowledge(p) \/ Drain(p) \/ DrainOn(p) \/ GiveUp(p) \/ Reconnect(p)
  \/ Land \/ Replicate \/ Truncate \/ Wipe \/ Failover

Spec == Init /\ [][Next]_vars

Symmetry == Permutations(Processes) \cup Permutations(Keys)

----------------------------------------------------------------------------
\* Every answer follows from a prefix of the counted log; so nothing that was acknowledged is lost.
AnswersFollow == ~torn /\ IsPrefix(told, count.entries)
NoOversell == Len(count.entries) <= Stock
OneOutcome == \A i, j \in 1 .. Len(count.entries) : count.entries[i].key = count.entries[j].key => i = j
\* The ledger, which applies what counts, never has to halt.
LedgerGoesOn == count.follows /\ ~count.gap
\* From a marker on, until the next one, nothing counts but what its owner knows of.
MarkerCloses == \A p \in Processes : LET self == process[p] IN
  self.phase = "serving" /\ self.epoch = count.epoch
    => count.number <= IF self.outbox # <<>> THEN Len(self.outbox)
                       ELSE IF self.awaited # <<>> THEN Len(self.awaited) ELSE self.durable
=============================================================================
