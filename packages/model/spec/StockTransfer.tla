--------------------------- MODULE StockTransfer ---------------------------
(***************************************************************************)
(* Stock on its way from one shard to another                              *)
(* (services/issuing/src/owner/stock-transfers.ts, debit.lua, credit.lua). *)
(*                                                                         *)
(* That each shard recovers to what counts of it is Recovery's matter;     *)
(* here a shard is what Redis has of it and how much of that is durable,   *)
(* and what is not durable may be lost.                                    *)
(***************************************************************************)
EXTENDS Naturals, Sequences, TLC

CONSTANTS Off, Stock, TransfersMax

Guarded(guard) == guard \notin Off

VARIABLES
  source, target,  \* each: entries in Redis, how many of them are durable
  asked,           \* what the target says it has been credited with, under way to the source
  handed           \* what the source has answered: number of the transfer, and of the entry that it rests on

vars == <<source, target, asked, handed>>

Nothing == 0
Init ==
  /\ source = [entries |-> <<>>, durable |-> 0]
  /\ target = [entries |-> <<>>, durable |-> 0]
  /\ asked = <<>> /\ handed = <<>>

Number(shard, kind) == Len(SelectSeq(shard.entries, LAMBDA entry : entry = kind))
Durable(shard, kind) == Len(SelectSeq(SubSeq(shard.entries, 1, shard.durable), LAMBDA entry : entry = kind))
With(shard, kind) == [shard EXCEPT !.entries = Append(@, kind)]

\* All stock is the source's at first; a transfer moves one.
LeftOfSource == Stock - Number(source, "debit") - Number(source, "issue")
LeftOfTarget == Number(target, "credit") - Number(target, "issue")

IssueAtSource == LeftOfSource > 0 /\ source' = With(source, "issue") /\ UNCHANGED <<target, asked, handed>>
IssueAtTarget == LeftOfTarget > 0 /\ target' = With(target, "issue") /\ UNCHANGED <<source, asked, handed>>

\* The target is empty. It names the last transfer that it was credited with, once that credit is durable.
Ask ==
  /\ LeftOfTarget = 0 /\ asked = <<>> /\ handed = <<>>
  /\ Guarded("credit_durable") => Durable(target, "credit") = Number(target, "credit")
  /\ asked' = <<Number(target, "credit")>>
  /\ UNCHANGED <<source, target, handed>>

\* debit.lua: a transfer that the target has not got is handed out again, else a new one is made.
Debit ==
  /\ asked # <<>>
  /\ LET last == Number(source, "debit")
         again == Guarded("debit_again") /\ asked[1] < last
     IN \/ again /\ handed' = <<[transfer |-> last, entry |-> Len(source.entries)]>> /\ UNCHANGED source
        \/ /\ ~again /\ LeftOfSource > 0 /\ last < TransfersMax
           /\ source' = With(source, "debit")
           /\ handed' = <<[transfer |-> last + 1, entry |-> Len(source.entries) + 1]>>
  /\ asked' = <<>> /\ UNCHANGED target

\* credit.lua: the source's answer is given once the entry that it rests on is durable; each transfer counts once.
Credit ==
  /\ handed # <<>>
  /\ Guarded("debit_durable") => handed[1].entry <= source.durable
  /\ Guarded("credit_once") => handed[1].transfer = Number(target, "credit") + 1
  /\ target' = With(target, "credit")
  /\ handed' = handed  \* the request may be carried out again after a lost reply
  /\ UNCHANGED <<source, asked>>

\* A reply or a request is lost, or is done with.
Drop ==
  /\ asked # <<>> \/ handed # <<>>
  /\ asked' = <<>> /\ handed' = <<>>
  /\ UNCHANGED <<source, target>>

Land(shard) == [shard EXCEPT !.durable = @ + 1]
Lose(shard) == [shard EXCEPT !.entries = SubSeq(@, 1, shard.durable)]
Log ==
  \/ source.durable < Len(source.entries) /\ source' = Land(source) /\ UNCHANGED <<target, asked, handed>>
  \/ target.durable < Len(target.entries) /\ target' = Land(target) /\ UNCHANGED <<source, asked, handed>>
\* Redis lost what was not in the log; whoever waited for that hears nothing.
Forget ==
  \/ /\ source.durable < Len(source.entries) /\ source' = Lose(source)
     /\ handed' = IF Guarded("debit_durable") /\ handed # <<>> /\ handed[1].entry > source.durable THEN <<>> ELSE handed
     /\ UNCHANGED <<target, asked>>
  \/ target.durable < Len(target.entries) /\ target' = Lose(target) /\ UNCHANGED <<source, asked, handed>>

Next == IssueAtSource \/ IssueAtTarget \/ Ask \/ Debit \/ Credit \/ Drop \/ Log \/ Forget

Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
NoOversell == Durable(source, "issue") + Durable(target, "issue") <= Stock
\* Stock under way can be handed out again: all transfers but the last have been credited for good.
NoneStranded == Durable(source, "debit") <= Durable(target, "credit") + 1
=============================================================================
