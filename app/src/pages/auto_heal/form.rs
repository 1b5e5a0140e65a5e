//! The form of the user's own rules, in the portal's steps. It is an ordinary form, and whoever receives it checks it.

use leptos::prelude::*;
use model::auto_heal::config::{ActionType, MEMORY_ABOVE_KIB, MEMORY_MOST_KIB, Parameters};

use super::draft::{Draft, List};
use super::field::{COUNT, Fields, Kind, PATH, SPAN, Wrong};

/// Step 1.
pub(super) fn conditions(fields: &Fields, draft: &Draft, here: &str) -> AnyView {
    let requests = &draft.requests;
    let memory = Kind::Number { least: MEMORY_ABOVE_KIB + 1, most: MEMORY_MOST_KIB };
    // App Service's form has no path here, and its back end refuses one: it is only shown to be taken out.
    let slow = &draft.slow_requests;
    let stray_path = (!slow.path.trim().is_empty()).then(|| {
        fields.input("triggers.slow_requests.path", "Path", "not supported here: remove it", PATH, &slow.path)
    });
    view! {
        <h3 id="conditions">"1. Define Conditions"</h3>
        <p class="quiet">
            "The action runs when any condition is met, per instance, over a sliding window. Empty fields are not set."
        </p>
        <div class="conditions">
            <fieldset>
                <legend>"Request count"</legend>
                {fields.input("triggers.requests.count", "Requests, at least", "", COUNT, &requests.count)}
                {fields.input("triggers.requests.time_interval", "Within", "hh:mm:ss", SPAN, &requests.time_interval)}
            </fieldset>
            <fieldset>
                <legend>"Slow requests"</legend>
                {fields.slow("triggers.slow_requests", slow)}
                {stray_path}
            </fieldset>
            {fields.list(here, draft, List::SlowRequestsWithPath)}
            {fields.list(here, draft, List::StatusCodes)}
            {fields.list(here, draft, List::StatusCodesRange)}
            <fieldset>
                <legend>"Memory"</legend>
                {fields
                    .input(
                        "triggers.private_bytes_kib",
                        "Private bytes above, in KiB",
                        "More than 102,400 and at most 33,554,432 KiB (100 MiB to 32 GiB)",
                        memory,
                        &draft.memory_kb,
                    )}
            </fieldset>
            <Wrong id="triggers-error".to_owned() messages=fields.messages("triggers") />
        </div>
    }
    .into_any()
}

/// Step 2.
pub(super) fn action(fields: &Fields, draft: &Draft) -> AnyView {
    let chosen = ActionType::from_word(&draft.action).unwrap_or_default();
    let choice = |action: ActionType, label: &'static str, hint: &'static str| {
        let id = format!("action-{}", action.word());
        let hint_id = format!("{id}-hint");
        view! {
            <div class="choice">
                <input
                    type="radio"
                    id=id.clone()
                    name="actions.action_type"
                    value=action.word()
                    checked=action == chosen
                    aria-describedby=hint_id.clone()
                />
                <label for=id>{label}</label>
                <p class="hint" id=hint_id>
                    {hint}
                </p>
            </div>
        }
    };
    let exe = Kind::Text { pattern: Some("\\/.*[^\\/]"), example: "/usr/local/bin/notify", most: 4_096 };
    let parameters = Kind::Text { pattern: None, example: "", most: 8_192 };
    view! {
        <h3 id="action">"2. Configure Actions"</h3>
        <fieldset class="choices">
            <legend>"Action"</legend>
            {choice(
                ActionType::Recycle,
                "Recycle",
                "Restarts that instance gracefully.",
            )}
            {choice(ActionType::LogEvent, "Log an event", "Records an event in History and in the log.")}
            {choice(
                ActionType::CustomAction,
                "Custom action",
                "Runs an executable as the app's user, with a time limit. The worker keeps running.",
            )}
            <Wrong id="actions-action_type-error".to_owned() messages=fields.messages("actions.action_type") />
            <div class="custom-action">
                {fields
                    .input(
                        "actions.custom_action.exe",
                        "Executable",
                        "Absolute path. MemoryDump and Profiler are not supported.",
                        exe,
                        &draft.exe,
                    )}
                {fields
                    .input(
                        "actions.custom_action.parameters",
                        "Parameters",
                        if draft.parameters == Parameters::KEPT { "*** keeps the saved parameters. Saved parameters are never shown." } else { "Optional. Saved parameters are never shown." },
                        parameters,
                        &draft.parameters,
                    )}
            </div>
        </fieldset>
    }
    .into_any()
}

/// Step 3.
pub(super) fn override_time(fields: &Fields, draft: &Draft) -> AnyView {
    view! {
        <h3 id="override">"3. Override when Action executes" <span class="quiet">" (optional)"</span></h3>
        <fieldset>
            <legend>"Minimum uptime"</legend>
            {fields
                .input(
                    "actions.min_process_execution_time",
                    "Minimum uptime before the action runs",
                    "hh:mm:ss, 00:00:00 to 02:00:00. Less than 00:10:00 is not recommended: a slow start may trigger the rule again.",
                    SPAN,
                    &draft.minimum_time,
                )}
        </fieldset>
    }
    .into_any()
}
