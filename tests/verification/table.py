"""What each tampering must be found as: literally, kind by kind (× how often), nothing beside.

    what was done | found with the database alone | with the newest checkpoint kept outside | why

`same`: an outside checkpoint adds nothing. The last column stands where nothing can be found
without one, or at all, and says why.
"""

# ruff: noqa: E501  (a row is a line)
from __future__ import annotations

from dataclasses import dataclass

# collection, field, what was done to it (tests/verification/fields.py)
FIELDS = """
journal _id change | record_changed | same
journal _id retype | record_form | same
journal v change | record_form | same
journal v remove | record_form | same
journal v retype | record_form | same
journal tenant change | record_form | same
journal tenant remove | record_form | same
journal tenant retype | record_form | same
journal lane change | record_form | same
journal lane remove | record_form | same
journal lane retype | record_form | same
journal object_id change | record_changed | same
journal object_id remove | record_form | same
journal object_id retype | record_form | same
journal object_type change | record_changed | same
journal object_type remove | record_form | same
journal object_type retype | record_form | same
journal flow change | record_changed | same
journal flow remove | record_form | same
journal flow retype | record_form | same
journal block change | record_changed | same
journal block remove | record_form | same
journal block retype | record_form | same
journal transaction change | record_form | same
journal transaction remove | record_form | same
journal transaction retype | record_form | same
journal stage change | record_changed | same
journal stage remove | record_form | same
journal stage retype | record_form | same
journal status change | record_changed | same
journal status remove | record_form | same
journal status retype | record_form | same
journal attempt change | record_changed | same
journal attempt remove | record_form | same
journal attempt retype | record_form | same
journal occurred_at change | record_changed | same
journal occurred_at remove | record_form | same
journal occurred_at retype | record_form | same
journal recorded_at change | record_changed | same
journal recorded_at remove | record_form | same
journal recorded_at retype | record_form | same
journal producer change | record_changed | same
journal producer remove | record_form | same
journal producer retype | record_form | same
journal batch change | record_added record_removed | same
journal batch remove | record_form record_removed | same
journal batch retype | record_form record_removed | same
journal index change | record_added record_removed | same
journal index remove | record_form record_removed | same
journal index retype | record_form record_removed | same
journal part_hash change | record_part | same
journal part_hash remove | record_form | same
journal part_hash retype | record_form | same
journal salt change | record_part | same
journal salt remove | record_form | same
journal salt retype | record_form | same
journal queued_at change | record_changed | same
journal queued_at remove | record_changed | same
journal queued_at retype | record_form | same
journal started_at change | record_changed | same
journal started_at remove | record_changed | same
journal started_at retype | record_form | same
journal ended_at change | record_changed | same
journal ended_at remove | record_changed | same
journal ended_at retype | record_form | same
journal flow_version change | record_changed | same
journal flow_version remove | record_changed | same
journal flow_version retype | record_form | same
journal parents change | record_changed | same
journal parents remove | record_changed | same
journal parents retype | record_form | same
journal corrects change | record_changed | same
journal corrects remove | record_changed | same
journal corrects retype | record_form | same
journal final change | record_form | same
journal final remove | record_changed | same
journal final retype | record_form | same
journal marks change | record_changed | same
journal marks remove | record_changed | same
journal marks retype | record_form | same
journal part change | record_part | same
journal part remove | record_part | same
journal part retype | record_form | same
journal part.reason change | record_part | same
journal part.reason remove | record_part | same
journal part.reason retype | record_form | same
journal part.exception change | record_part | same
journal part.exception remove | record_part | same
journal part.exception retype | record_part | same
journal part.attributes change | record_part | same
journal part.attributes remove | record_part | same
journal part.attributes retype | record_part | same
journal part.references change | record_part | same
journal part.references remove | record_part | same
journal part.references retype | record_part | same
journal part.usage change | record_part | same
journal part.usage remove | record_part | same
journal part.usage retype | record_part | same
journal part.cost change | record_part | same
journal part.cost remove | record_part | same
journal part.cost retype | record_part | same
journal part.payload change | record_part | same
journal part.payload remove | record_part | same
journal part.payload retype | record_part | same
journal part.subject change | record_part | same
journal part.subject remove | record_part | same
journal part.subject retype | record_form | same
journal part.attributes.0.value change | record_part | same
journal part.attributes.0.value remove | record_part | same
journal part.attributes.0.value retype | record_form | same
journal part.attributes.1.value change | record_part | same
journal part.attributes.1.value remove | record_part | same
journal part.attributes.1.value retype | record_part | same
journal part.attributes.2.value change | record_part | same
journal part.attributes.2.value remove | record_part | same
journal part.attributes.2.value retype | record_part | same
journal part.attributes.3.value change | record_part | same
journal part.attributes.3.value remove | record_part | same
journal part.attributes.3.value retype | record_form | same
journal part.attributes.4.value change | record_part | same
journal part.attributes.4.value remove | record_part | same
journal part.attributes.4.value retype | record_part | same
journal part.attributes.5.value change | record_part | same
journal part.attributes.5.value remove | record_part | same
journal part.attributes.5.value retype | record_form | same
journal part.attributes.0.name change | record_part | same
journal part.attributes.0.name remove | record_part | same
journal part.attributes.0.name retype | record_form | same
journal part.exception.message change | record_part | same
journal part.exception.message remove | record_part | same
journal part.exception.message retype | record_form | same
journal part.references.0.values change | record_part | same
journal part.references.0.values remove | record_part | same
journal part.references.0.values retype | record_part | same
journal part.usage.0.quantity change | record_part | same
journal part.usage.0.quantity remove | record_part | same
journal part.usage.0.quantity retype | record_form | same
journal part.cost.amount change | record_part | same
journal part.cost.amount remove | record_part | same
journal part.cost.amount retype | record_form | same
journal part.payload.size change | record_part | same
journal part.payload.size remove | record_part | same
journal part.payload.size retype | record_form | same
journal part.payload.content change | record_part | same
journal part.payload.content remove | record_part | same
journal part.payload.content retype | record_form | same
journal extra add | record_form | same
journal part.extra add | record_part | same
journal part.attributes.0.extra add | record_part | same
journal flow_version add | record_changed | same
journal queued_at add | record_changed | same
journal started_at add | record_changed | same
journal ended_at add | record_changed | same
journal parents add | record_changed | same
journal corrects add | record_changed | same
journal final add | record_changed | same
journal marks add | record_changed | same
journal status symbol | record_form | same
journal batch symbol | record_form | same
journal part.reason symbol | record_form | same
journal part.payload.content symbol | record_form | same
seal_queue _id change | record_added*3 record_removed*3 | same
seal_queue _id retype | queue_form record_added*3 | same
seal_queue tenant change | record_removed*3 | same
seal_queue tenant remove | queue_form | same
seal_queue tenant retype | queue_form | same
seal_queue recorded_at change | queue_changed record_removed*3 | same
seal_queue recorded_at remove | queue_form | same
seal_queue recorded_at retype | queue_form | same
seal_queue count change | queue_form | same
seal_queue count remove | queue_form | same
seal_queue count retype | queue_form | same
seal_queue leaves change | record_changed | same
seal_queue leaves remove | queue_form record_added*3 | same
seal_queue leaves retype | queue_form | same
seal_queue extra add | queue_form | same
seal_queue tenant symbol | queue_form | same
seal_queue _id symbol | queue_form | same
log_segment _id change | checkpoint_missing segment_order*2 | same
log_segment _id retype | segment_form | same
log_segment count change | segment_form segment_order | same
log_segment count remove | segment_form segment_order | same
log_segment count retype | segment_form | same
log_segment sealed_at change | clean | same | when a segment was sealed is signed nowhere; it is held between what must come before and after
log_segment sealed_at remove | segment_form time_order | same
log_segment sealed_at retype | segment_form time_order | same
log_segment batches change | segment_form segment_order | same
log_segment batches remove | record_added*4 segment_form segment_order | same
log_segment batches retype | record_added*4 segment_form segment_order | same
log_segment leaves change | checkpoint_root record_changed segment_tree | same
log_segment leaves remove | record_added*4 segment_form segment_order | same
log_segment leaves retype | segment_form | same
log_segment peaks change | segment_tree | same
log_segment peaks remove | segment_form segment_tree | same
log_segment peaks retype | segment_form segment_tree | same
log_segment nodes change | segment_tree | same
log_segment nodes remove | segment_form | same
log_segment nodes retype | segment_form | same
log_segment batches.0.batch change | record_added*4 record_removed*4 | same
log_segment batches.0.batch remove | record_added*4 segment_form segment_order | same
log_segment batches.0.batch retype | record_added*4 segment_form segment_order | same
log_segment batches.0.tenant change | batch_form*4 | same
log_segment batches.0.tenant remove | record_added*4 segment_form segment_order | same
log_segment batches.0.tenant retype | record_added*4 segment_form segment_order | same
log_segment batches.0.recorded_at change | batch_form*5 | same
log_segment batches.0.recorded_at remove | record_added*4 segment_form segment_order | same
log_segment batches.0.recorded_at retype | record_added*4 segment_form segment_order | same
log_segment batches.0.count change | segment_form segment_order | same
log_segment batches.0.count remove | record_added*4 segment_form segment_order | same
log_segment batches.0.count retype | segment_form | same
log_segment extra add | segment_form | same
log_segment batches.0.extra add | segment_form | same
log_segment batches.0.batch symbol | segment_form | same
log_segment sealed_at change-hour | time_order*3 | same
log_checkpoint _id change | checkpoint_missing checkpoint_root | same
log_checkpoint _id retype | checkpoint_form checkpoint_missing | same
log_checkpoint root change | checkpoint_root | same
log_checkpoint root remove | checkpoint_form checkpoint_missing | same
log_checkpoint root retype | checkpoint_form checkpoint_missing | same
log_checkpoint note change | checkpoint_missing checkpoint_signature | same
log_checkpoint note remove | checkpoint_form checkpoint_missing | same
log_checkpoint note retype | checkpoint_form checkpoint_missing | same
log_checkpoint signed_at change | clean | same | the note holds no time; it is held between what must come before and after
log_checkpoint signed_at remove | checkpoint_form checkpoint_missing | same
log_checkpoint signed_at retype | checkpoint_form checkpoint_missing | same
log_checkpoint extra add | checkpoint_form checkpoint_missing | same
log_checkpoint note symbol | checkpoint_form checkpoint_missing | same
log_checkpoint signed_at change-hour | time_order*2 | same
"""

# acts on whole documents (tests/verification/acts)
ACTS = """
nothing | clean | same | the control
more_is_sealed | clean | same | the control, sealed to the end
queue_entry_left_by_a_killed_sealer | clean | same | what a crash leaves
fields_in_another_order | clean | same | no value has changed
delete_a_record | record_removed | same
delete_the_first_record | record_removed | same
delete_the_last_record | record_removed | same
delete_a_batch | record_removed*4 | same
delete_all_records | record_removed*46 | same
delete_a_tenants_records | record_removed*12 | same
delete_a_waiting_record | record_removed | same
delete_a_waiting_batchs_records | record_removed*2 | same
delete_a_waiting_batch_and_its_entry | clean | same | not in the log yet: only the producer's receipt knows of it
delete_a_queue_entry | record_added*2 | same
add_a_record_at_anothers_place | record_added | same
add_a_record_before_its_original | record_added | same
add_a_record_behind_its_batch | record_added | same
add_a_record_before_its_batch | record_added | same
add_a_record_of_no_batch | record_added | same
add_a_back_dated_record_of_no_batch | record_added | same
add_a_record_to_a_waiting_batch | record_added | same
add_a_record_of_a_waiting_batch_twice | record_changed | same
add_a_record_of_another_tenant | record_added | same
add_a_record_that_is_empty | record_form | same
add_a_record_and_its_queue_entry | clean | same | the same as a post: whoever may write there can post
add_a_back_dated_record_and_have_it_sealed | back_dated | same
add_a_post_dated_record_and_have_it_sealed | time_order | same
back_date_a_record | record_changed | same
back_date_an_event | record_changed | same
back_date_a_batch_in_journal_and_log | back_dated batch_form record_changed*4 | same
swap_places_in_a_batch | record_changed*2 | same
swap_two_records | record_changed*2 | same
swap_two_batches_of_one_size | record_changed*4 | same
swap_parts | record_part*2 | same
swap_parts_with_their_salts | record_part*2 | same
swap_parts_with_their_salts_and_hashes | record_changed*2 | same
another_part_with_its_hash | record_changed | same
take_out_part_and_salt | record_form | same
an_empty_part | record_form | same
move_to_another_transaction | record_changed | same
move_to_another_tenant | record_changed | same
rename_a_record | record_changed | same
move_to_another_batch | record_added record_removed | same
change_every_record_of_a_batch | record_changed*4 | same
change_a_waiting_record | record_changed | same
change_a_waiting_record_and_its_leaf | clean | same | not in the log yet: only the producer's receipt knows of it
a_field_that_stands_twice | record_form | same
a_field_that_stands_twice_alike | record_form | same
a_text_that_is_no_utf8 | record_form | same
code_in_place_of_a_text | record_form | same
code_in_a_header | record_form | same
a_year_no_calendar_has | record_form | same
a_null_in_a_part | record_form | same
a_number_that_is_none | record_form | same
a_list_with_an_object_among_parents | record_form | same
queue_entry_without_records | record_removed*2 | same
queue_leaves_in_another_order | record_changed*2 | same
queue_entry_cut_short | record_added | same
queue_entry_of_a_sealed_batch_with_other_leaves | queue_changed | same
queue_emptied | record_added*5 | same
delete_a_segment | record_added*4 segment_order | same
delete_the_first_segment | record_added*7 segment_order | same
delete_a_segment_and_its_checkpoint | record_added*4 segment_order | same
delete_a_segment_its_checkpoint_and_records | segment_order | same
delete_all_segments | log_cut*8 record_added*41 | log_cut*9 record_added*41
delete_the_whole_log | record_added*41 | log_cut record_added*41
delete_everything | clean | log_cut | an empty log is one that was never written to
swap_two_segments | back_dated checkpoint_root segment_tree time_order*2 | same
swap_two_batches_in_a_segment | checkpoint_root segment_tree | same
swap_two_leaves | checkpoint_root record_changed*2 segment_tree | same
give_a_batch_another_name | record_added*4 record_removed*4 | same
a_segment_that_overlaps | checkpoint_missing record_removed*4 segment_order | checkpoint_missing record_removed*4 segment_order*2
a_segment_far_behind | checkpoint_missing record_removed*4 segment_order | same
a_segment_without_leaves | segment_form | same
a_segment_appended_unsigned | checkpoint_missing | same
join_two_segments | segment_order | same
join_two_segments_and_drop_the_checkpoint | clean | same | order, leaves and roots are as signed; where segments end is signed nowhere else
seal_in_the_future | time_order*2 | same
sign_in_the_future | time_order | same
cut_the_last_segment | log_cut record_added*4 | log_cut*2 record_added*4
cut_the_last_checkpoint | checkpoint_missing | same
cut_the_tail_but_not_its_records | record_added*4 | log_cut record_added*4
cut_the_tail_with_its_records | clean | log_cut | a shorter log is one that is not yet longer
cut_the_tail_and_put_it_back_into_the_queue | clean | log_cut | a shorter log is one that is not yet longer
cut_the_tail_and_seal_something_else | clean | log_rewritten segment_order | who has the key can sign another log
delete_a_checkpoint | checkpoint_missing | same
delete_the_first_checkpoint | checkpoint_missing | same
delete_all_checkpoints | checkpoint_missing*8 | same
a_checkpoint_under_another_size | checkpoint_root | same
a_checkpoint_of_no_leaves | checkpoint_root time_order | same
swap_two_notes | checkpoint_missing*2 checkpoint_root*4 | same
a_checkpoint_of_another_key | checkpoint_missing checkpoint_signature | same
a_checkpoint_of_the_receipt_key | checkpoint_missing checkpoint_signature | same
a_second_signature_of_another_key | checkpoint_missing checkpoint_signature | same
a_checkpoint_of_another_origin | checkpoint_missing checkpoint_signature | same
a_note_with_a_line_more | checkpoint_missing checkpoint_signature | same
a_signature_with_a_bit_turned | checkpoint_missing checkpoint_signature | same
rewrite_without_the_key | checkpoint_root*7 | checkpoint_root*7 log_rewritten
rewrite_and_drop_the_checkpoints | checkpoint_missing*8 | checkpoint_missing*8 log_rewritten
rewrite_and_drop_the_later_checkpoints | checkpoint_missing*6 | checkpoint_missing*6 log_rewritten
rewrite_with_another_key | checkpoint_missing*8 checkpoint_signature*8 | checkpoint_missing*8 checkpoint_signature*8 log_rewritten
rewrite_with_the_stolen_key | clean | log_rewritten | who has the key can sign another log
remove_a_record_and_rewrite_without_the_key | checkpoint_missing*4 checkpoint_root*8 | checkpoint_missing*4 checkpoint_root*8 log_cut
remove_a_record_and_rewrite_with_the_stolen_key | clean | log_cut | who has the key can sign another log
add_a_record_and_rewrite_with_the_stolen_key | clean | log_rewritten segment_order | who has the key can sign another log
"""


@dataclass(frozen=True)
class Row:
    what: str
    alone: dict[str, int]
    outside: dict[str, int]
    reason: str


def table(text: str) -> list[Row]:
    found = []
    for line in text.strip().splitlines():
        what, alone, outside, *reason = (cell.strip() for cell in line.split("|"))
        if outside == "same":
            outside = alone
        found.append(Row(what, _kinds(alone), _kinds(outside), reason[0] if reason else ""))
    return found


def _kinds(cell: str) -> dict[str, int]:
    found = {}
    for word in cell.split() if cell != "clean" else ():
        kind, _, count = word.partition("*")
        found[kind] = int(count or 1)
    return found
