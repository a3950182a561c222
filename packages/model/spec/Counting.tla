------------------------------ MODULE Counting ------------------------------
(***************************************************************************)
(* The log of one partition and the rule that says what in it counts       *)
(* (packages/domain/src/count-message.ts).                                 *)
(*                                                                         *)
(* An entry is written as the whole chain of entries that it ends: its     *)
(* number is the chain's length, and its running hash stands for the chain *)
(* as a whole. <<>> stands for no entry.                                   *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANT Off  \* the guards that are taken out in this run; {} is the protocol

Guarded(guard) == guard \notin Off

\* Epochs are numbered 1, 2, 3 in the order of their markers; in the log an epoch is its marker's offset.
Marker(epoch) == [epoch |-> epoch, chain |-> <<>>]
Entry(epoch, chain) == [epoch |-> epoch, chain |-> chain]
IsMarker(message) == message.chain = <<>>

Last(chain) == chain[Len(chain)]
Front(chain) == SubSeq(chain, 1, Len(chain) - 1)
IsPrefix(a, b) == Len(a) <= Len(b) /\ SubSeq(b, 1, Len(a)) = a

(* epoch: that of the last marker. entries:  what has counted, in order.  *)
(* follows: each entry that counted was made from those before it, else    *)
(* the ledger halts as "diverged". gap: an entry skipped numbers, and it   *)
(* halts as well.                                                          *)
NothingCounted == [epoch |-> 0, number |-> 0, entries |-> <<>>, follows |-> TRUE, gap |-> FALSE]

Counts(count, message) ==
  [count EXCEPT !.number = Len(message.chain),
                !.entries = Append(@, Last(message.chain)),
                !.follows = @ /\ Front(message.chain) = count.entries]

Count(count, message) ==
  IF IsMarker(message) THEN [count EXCEPT !.epoch = message.epoch]
  ELSE IF Guarded("count_epoch") /\ message.epoch # count.epoch THEN count
  ELSE IF ~Guarded("count_number") \/ Len(message.chain) = count.number + 1 THEN Counts(count, message)
  ELSE IF Len(message.chain) <= count.number THEN count
  ELSE [count EXCEPT !.gap = TRUE]

=============================================================================
