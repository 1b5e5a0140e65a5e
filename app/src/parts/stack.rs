//! The crashing thread's calls, innermost first: what is called, where it stands, and how it was found.

use insight::words::trust;
use leptos::prelude::*;
use model::crash::{Frame, Thread};

/// So many frames are shown at once; the fault is nearly always among them.
const SHOWN: usize = 12;

/// A thread's stack.
#[component]
pub(crate) fn Stack(
    thread: Thread,
    /// Tells its folded part from others on the page.
    key: String,
    /// The call to look at first.
    #[prop(optional_no_strip)]
    fault: Option<Frame>,
) -> impl IntoView {
    if thread.frames.is_empty() {
        return view! { <p class="quiet">"No stack trace. The debugger was not attached to this crash, and the worker's output contains none."</p> }.into_any();
    }
    let fault_at = fault.and_then(|fault| thread.frames.iter().position(|frame| *frame == fault));
    let shown = if thread.frames.len() <= SHOWN + 2 { thread.frames.len() } else { SHOWN };
    let mut rows = thread
        .frames
        .into_iter()
        .enumerate()
        .map(|(at, frame)| view! { <FrameRow at=at frame=frame is_fault=fault_at == Some(at) /> }.into_any())
        .collect::<Vec<_>>();
    let rest = rows.split_off(shown);
    let more = format!("Show {} more frames", rest.len());
    let start = shown.to_string();
    view! {
        <figure class="stack">
            <figcaption>
                "Crashing thread" {thread.name.map(|name| view! { " "<code>{name}</code> })} ", innermost frame first"
            </figcaption>
            <ol start="0">{rows}</ol>
            {(!rest.is_empty())
                .then(|| {
                    view! {
                        <details data-key=key>
                            <summary>{more}</summary>
                            <ol start=start>{rest}</ol>
                        </details>
                    }
                })}
            {thread.truncated.then(|| view! { <p class="quiet">"Stack trace truncated"</p> })}
        </figure>
    }
    .into_any()
}

#[component]
fn FrameRow(at: usize, frame: Frame, is_fault: bool) -> impl IntoView {
    let place = frame.place();
    let module = frame.module.clone().filter(|_| frame.function.is_some());
    let where_ =
        frame.source().or_else(|| Some(format!("{}+{:#x}", module.as_deref()?, frame.offset?))).or(module);
    view! {
        <li class="frame" class:fault=is_fault class:inline=frame.inline>
            <span class="frame-at" aria-hidden="true">
                {at}
            </span>
            <span class="frame-call">
                <code>{place}</code>
                {is_fault.then(|| view! { " "<span class="tag fault-tag">"Most relevant"</span> })}
                {frame
                    .inline
                    .then(|| {
                        view! {
                            " "
                            <span class="tag" title="Inlined into the caller">
                                "inlined"
                            </span>
                        }
                    })}
            </span>
            <span class="frame-where">
                <code>{where_}</code>
            </span>
            <span class="frame-trust" title="How this frame was found">
                {trust(frame.trust)}
            </span>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::crash::Trust;

    fn frame(function: &str) -> Frame {
        Frame {
            module: Some("shop".to_owned()),
            function: Some(function.to_owned()),
            file: Some("src/cart.rs".to_owned()),
            line: Some(42),
            offset: Some(0x1f2),
            trust: Trust::CallFrameInfo,
            inline: false,
        }
    }

    fn html(frames: Vec<Frame>, fault: Option<Frame>) -> String {
        let thread =
            Thread { name: Some("<script>x".to_owned()), frames, truncated: true, ..Thread::default() };
        view! { <Stack thread=thread key="k".to_owned() fault=fault /> }.to_html()
    }

    #[test]
    fn a_frame_says_what_where_and_how_it_was_found() {
        let inline = Frame { inline: true, ..frame("shop::cart::add") };
        let html = html(vec![inline.clone(), frame("main")], Some(inline));
        for expected in [
            "shop::cart::add",
            "src/cart.rs:42",
            "unwind table",
            ">inlined<",
            "Most relevant",
            "Stack trace truncated",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert_eq!(html.matches("Most relevant").count(), 1);
    }

    #[test]
    fn names_from_a_process_are_only_ever_text() {
        let hostile = frame("<img src=x onerror=alert(1)>\"'&");
        let html = html(vec![hostile], None);
        assert!(
            html.contains("&lt;img src=x onerror=alert(1)&gt;") && html.contains("&lt;script&gt;x"),
            "{html}"
        );
        assert!(!html.contains("<img") && !html.contains("<script"), "{html}");
    }

    #[test]
    fn a_long_stack_is_folded_after_twelve_frames() {
        let long = html((0..40).map(|n| frame(&format!("f{n}"))).collect(), None);
        assert!(long.contains("Show 28 more frames") && long.contains("start=\"12\""), "{long}");
        let short = html((0..14).map(|n| frame(&format!("f{n}"))).collect(), None);
        assert!(!short.contains("<details"), "two frames are not worth a click: {short}");
    }

    #[test]
    fn a_stripped_frame_shows_its_module_and_offset() {
        let stripped = Frame { function: None, file: None, line: None, ..frame("") };
        assert!(html(vec![stripped], None).contains("shop+0x1f2"));
        let no_lines = Frame { file: None, line: None, ..frame("g") };
        assert!(html(vec![no_lines], None).contains("shop+0x1f2"));
    }
}
