//! `/apps/{app}/instances/{instance}/output`: the last lines that an instance wrote, for this machine's operator.

use leptos::prelude::*;

use crate::address::OUTPUT;
use crate::answer::{PageError, answer, asked_app, console, path_part};
use crate::console::{Reader, WorkerOutput};
use crate::parts::frame::{Page, app_crumbs};
use crate::parts::region::{LiveRegion, Scroll};

/// The page.
#[component]
pub(crate) fn OutputPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let instance = path_part("instance").parse::<u16>().ok();
    answer(async move {
        let app = status?.name;
        let missing = || PageError::NotFound(format!("App \"{app}\" has no such instance."));
        let index = instance.ok_or_else(missing)?;
        let output = console.output(&app, index).await?.ok_or_else(missing)?;
        let readers = match console.reader() {
            Reader::Machine => "Only Medic's own user and root can read them.",
            _ => "Reading them requires the role operator.",
        };
        let here = OUTPUT.of_instance(&app, index);
        let view = view! {
            <Page title=format!("{app}: output of instance {index}") crumbs=app_crumbs(&app) app=Some(app.clone()) here=here>
                <h1>{format!("Output of instance {index}")}</h1>
                <p class="lead">
                    "The last lines of the worker's standard output and error. " {readers}
                </p>
                <LiveRegion name="output">
                    <Lines output=output />
                </LiveRegion>
            </Page>
        };
        Ok(view.into_any())
    })
}

#[component]
fn Lines(output: WorkerOutput) -> impl IntoView {
    let WorkerOutput { file, lines } = output;
    if lines.is_empty() {
        return view! { <p class="quiet">"No output. The worker wrote nothing to standard output or standard error."</p> }
            .into_any();
    }
    view! {
        {file.map(|file| view! { <p class="quiet">"Log file: "<code>{file}</code></p> })}
        <Scroll label="Output">
            <pre class="output">{lines.join("\n")}</pre>
        </Scroll>
    }
    .into_any()
}
