//! How something that a form asked for went, above what it changed.

use leptos::prelude::*;

/// In one line.
pub(crate) enum Outcome {
    Done(&'static str),
    Warned(&'static str),
    Failed(&'static str),
}

impl Outcome {
    pub(crate) fn view(self) -> impl IntoView {
        let (class, role, text) = match self {
            Self::Done(text) => ("message success", "status", text),
            Self::Warned(text) => ("message warning", "alert", text),
            Self::Failed(text) => ("message critical", "alert", text),
        };
        view! {
            <p class=class role=role>
                {text}
            </p>
        }
    }
}
