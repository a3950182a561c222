------------------------------- MODULE Ledger -------------------------------
(***************************************************************************)
(* Several ledgers apply one partition's log to PostgreSQL                 *)
(* (services/ledger/src/applying, packages/database/src/ledger). Any of    *)
(* them may stand still, be killed, or fail in mid-transaction.            *)
(***************************************************************************)
EXTENDS Counting, TLC

CONSTANTS Ledgers, LengthMax

VARIABLES
  log,       \* whatever owners and zombies write
  database,  \* what PostgreSQL has: position, and the entries applied
  lane       \* what each ledger knows: where it stands, and its transaction

vars == <<log, database, lane>>

NoTransaction == [from |-> 0, to |-> 0, rows |-> <<>>]
Standing == [position |-> database.position, count |-> database.count, transaction |-> NoTransaction, begun |-> FALSE]

Init ==
  /\ log = <<>>
  /\ database = [position |-> 0, count |-> NothingCounted, rows |-> <<>>]
  /\ lane = [l \in Ledgers |-> [position |-> 0, count |-> NothingCounted, transaction |-> NoTransaction, begun |-> FALSE]]

RECURSIVE CountOf(_, _, _, _)
CountOf(messages, count, at, end) ==
  IF at > end THEN count ELSE CountOf(messages, Count(count, messages[at]), at + 1, end)

Counted(end) == CountOf(log, NothingCounted, 1, end)

\* The next entry, one that was written before, or one of a zombie's; or a marker.
Write ==
  LET count == Counted(Len(log)) IN
  /\ Len(log) < LengthMax
  /\ \/ log' = Append(log, Marker(count.epoch + 1))
     \/ \E epoch \in 1 .. count.epoch, number \in 1 .. Len(count.entries) + 1 :
          log' = Append(log, Entry(epoch, Append(SubSeq(count.entries, 1, number - 1), [key |-> number, epoch |-> epoch])))
  /\ UNCHANGED <<database, lane>>

\* A transaction is put together from one message or several, ahead of what is committed.
Take(l) ==
  LET self == lane[l] IN
  /\ ~self.begun
  /\ \E to \in self.position + 1 .. Len(log) :
       LET after == CountOf(log, self.count, self.position + 1, to)
           rows == SubSeq(after.entries, Len(self.count.entries) + 1, Len(after.entries))
       IN lane' = [lane EXCEPT ![l] = [position |-> to, count |-> after, begun |-> TRUE,
                                       transaction |-> [from |-> self.position, to |-> to, rows |-> rows]]]
  /\ UNCHANGED <<log, database>>

Fits(transaction) == ~Guarded("position_cas") \/ database.position = transaction.from

\* Rows and position, in one transaction. With that guard out, the rows are there before the position moves.
WriteRows(l) ==
  LET self == lane[l] IN
  /\ ~Guarded("one_transaction") /\ self.begun /\ Fits(self.transaction) /\ self.transaction.rows # <<>>
  /\ database' = [database EXCEPT !.rows = @ \o self.transaction.rows]
  /\ lane' = [lane EXCEPT ![l].transaction.rows = <<>>]
  /\ UNCHANGED log

Commit(l) ==
  LET self == lane[l] IN
  /\ self.begun /\ Fits(self.transaction)
  /\ Guarded("one_transaction") \/ self.transaction.rows = <<>>
  /\ database' = [position |-> self.transaction.to, count |-> self.count, rows |-> database.rows \o self.transaction.rows]
  /\ lane' = [lane EXCEPT ![l].begun = FALSE, ![l].transaction = NoTransaction]
  /\ UNCHANGED log

\* Killed, refused, or told that the position has moved: on from what PostgreSQL has.
GoBack(l) ==
  /\ lane' = [lane EXCEPT ![l] = Standing]
  /\ lane' # lane
  /\ UNCHANGED <<log, database>>

Next == Write \/ \E l \in Ledgers : Take(l) \/ WriteRows(l) \/ Commit(l) \/ GoBack(l)

Spec == Init /\ [][Next]_vars
Symmetry == Permutations(Ledgers)

----------------------------------------------------------------------------
\* What PostgreSQL has is the counted prefix up to its position, each entry once.
ExactlyOnce == database.rows = Counted(database.position).entries
=============================================================================
