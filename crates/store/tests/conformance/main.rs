//! What every database must do: one suite, run on SQLite and on PostgreSQL.
//!
//! Each case gets a database of its own, empty, and deleted afterwards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod auto_heal;
mod backup;
mod changes;
mod crashes;
mod databases;
mod deploys;
mod fixtures;
mod heal_events;
mod hostile;
mod incidents;
mod memory;
mod minutes;
mod opening;
mod restarts;
mod retention;
mod settings;
mod shares;
mod signal_only;
mod tables;

/// Stamps each case for both databases. A case takes what it needs of an open store and its database.
macro_rules! conformance {
    ($($module:ident: $($case:ident),+;)+) => {
        mod sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    crate::databases::on_sqlite(crate::$module::$case).await;
                }
            )+)+
        }

        mod postgres {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                #[ignore = "needs PostgreSQL: cargo xtask test starts one and sets MEDIC_TEST_POSTGRES"]
                async fn $case() {
                    crate::databases::on_postgres(crate::$module::$case).await;
                }
            )+)+
        }
    };
}

conformance! {
    crashes: a_crash_reads_back_as_it_was, a_crash_counts_once, every_process_of_a_worker_crashes_once, a_worker_cannot_crash_for_two_incidents,
        concurrent_crashes_are_all_counted, one_crash_from_many_tasks_counts_once, ranges_have_their_start_and_not_their_end,
        the_newest_come_first_and_no_more_than_asked_for, crashes_are_counted_by_place_and_minute,
        kills_for_memory_are_counted_apart,
        audits_are_listed_by_when_they_were_captured;
    incidents: an_incident_shows_its_latest_captured_crash, first_and_last_do_not_depend_on_the_order_of_recording,
        incidents_are_those_that_crashed_in_the_range, incidents_of_one_app_or_of_all, a_summary_says_what_the_incident_says,
        incidents_count_their_crashes_in_the_range, an_hour_that_was_counted_by_minutes_is_counted_on,
        modules_of_the_stack_come_first, an_incident_shows_the_memory_of_its_latest_crash,
        an_incident_is_in_the_state_that_it_was_given, a_resolved_incident_regresses_by_a_crash_of_a_later_build;
    signal_only: crashes_of_a_signal_alone_join_the_captured_incident, what_is_of_another_origin_stays_apart,
        what_two_captured_incidents_could_have_joins_neither, what_was_joined_is_parted_and_joined_again,
        a_resolved_incident_hears_of_those_that_joined_it, parts_are_forgotten_with_their_incident;
    deploys: a_start_from_other_code_is_a_deploy, what_runs_is_known_when_its_deploy_is_forgotten,
        hostile_names_of_code_are_stored_clean_and_cut, a_mere_restart_of_the_same_code_regresses_nothing;
    shares: a_link_is_found_by_its_hash_until_it_expires, openings_are_counted_by_who_opens,
        a_revoked_link_opens_no_more_and_stays_in_the_list, a_link_goes_with_what_it_shows;
    hostile: what_cannot_be_seen_is_replaced, what_others_wrote_is_cleaned_as_it_is_read, long_names_are_cut, sql_in_a_name_is_a_name, hostile_evidence_is_stored_clean_and_cut;
    settings: settings_replace_all_of_the_apps, settings_of_an_older_medic_are_read, states_are_kept_by_node_and_instance;
    restarts: a_restart_reads_back_as_it_was, evidence_in_brief_lacks_what_was_measured, a_failure_of_an_older_medic_reads_as_it_was_told, a_restart_counts_once, restarts_of_one_app_in_a_range_newest_first;
    heal_events: an_event_reads_back_as_it_was, evidence_of_an_older_medic_reads_as_it_was_told, an_event_counts_once, events_of_one_app_in_a_range_newest_first;
    auto_heal: rules_read_back_equal_and_replace_what_was_there, rules_changed_by_hand_are_named, rules_of_an_older_medic_are_read,
        rules_of_an_older_medic_are_read_with_blanks_in_them,
        guards_are_kept_by_node_and_instance, fuses_are_kept_by_node_and_app;
    changes: a_change_is_saved_with_who_it_was, a_hostile_name_is_stored_clean_and_cut,
        changes_of_one_app_in_a_range_newest_first;
    accounts: the_first_account_is_an_owner_and_one_stays, of_two_owners_who_remove_each_other_one_stays,
        a_session_ends_with_its_password_and_its_account, sessions_of_an_account_are_bounded_and_expire,
        a_hostile_browser_is_stored_clean_and_cut;
    memory: a_minute_flushed_twice_keeps_the_peak_and_the_latest_limit, concurrent_flushes_keep_the_peak, memory_of_an_older_medic_is_read_and_added_to,
        memory_of_one_app_in_a_range;
    minutes: a_minute_flushed_twice_adds_up, a_flush_that_is_sent_again_is_counted_once, concurrent_flushes_lose_nothing, minutes_of_one_app_in_a_range,
        minutes_are_read_batch_by_batch, requests_of_an_older_medic_are_read_and_added_to;
    tables: the_tables_are_described_as_they_are, what_is_old_goes_and_what_is_configured_stays;
    retention: purge_keeps_what_is_newer, how_far_history_reaches_is_kept, purge_works_through_many_batches, an_incident_outlives_its_captured_crash,
        recording_goes_on_while_purging, purge_forgets_old_restarts_events_and_memory;
    backup: a_backup_is_restored_into_either_database, what_cannot_be_restored_changes_nothing;
    opening: reopening_keeps_everything, two_stores_share_one_database, a_newer_schema_is_refused,
        tables_of_an_older_medic_are_brought_up_to_date, workers_of_an_older_medic_get_their_nodes,
        a_closed_store_refuses_and_says_so, a_value_changed_by_hand_is_named;
}
