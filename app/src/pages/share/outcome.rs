//! What became of the form: the link, which is shown once, or why there is none.

use leptos::prelude::*;
use model::time::humanise;

use super::Reply;
use crate::address::SHARES;
use crate::parts::when::When;

#[component]
pub(super) fn Outcome(reply: Reply, is_local: bool) -> impl IntoView {
    let failed = |text: String| {
        view! {
            <p class="message critical" role="alert">
                {text}
            </p>
        }
        .into_any()
    };
    match reply {
        Reply::Refused { why, .. } => failed(format!("No link was created. {why}")),
        Reply::LookAgain { .. } => view! {
            <p class="message warning" role="alert">
                "No link was created yet: you changed what is included. The preview below shows the change. Check it, then create the link."
            </p>
        }
        .into_any(),
        Reply::Made { url, expires_at, is_shortened, ticks } => {
            let tunnel = is_local.then(|| tunnel(&url)).flatten();
            let shortened = format!(
                "The link expires before the {} that you chose, because the data that it shows is deleted then.",
                humanise(ticks.expires_in)
            );
            view! {
                <div class="message success share-made" role="status">
                    <p>
                        <strong>"Link created. Copy it now: Medic does not show it again."</strong>
                    </p>
                    <p class="share-link">
                        <input type="text" readonly value=url.clone() aria-label="Share link" />
                        <a class="button" href=url.clone() data-copy="link" data-copy-text=url>
                            "Copy link"
                        </a>
                    </p>
                    <p>"Expires " <When at=expires_at /> ". " <a href=SHARES.template()>"All share links"</a></p>
                    {is_shortened.then(|| view! { <p>{shortened}</p> })}
                    {tunnel
                        .map(|tunnel| {
                            view! {
                                <p>
                                    "The link works on this machine only. On another machine, run " <code>{tunnel}</code>
                                    " first, then open the link. To send the content instead, open the link and save the page as PDF or Markdown."
                                </p>
                            }
                        })}
                </div>
            }
            .into_any()
        }
    }
}

/// The command by which another machine reaches this one under the same address.
fn tunnel(url: &str) -> Option<String> {
    let port = url.strip_prefix("http://")?.split('/').next()?.rsplit_once(':')?.1.parse::<u16>().ok()?;
    Some(format!("ssh -L {port}:127.0.0.1:{port} USER@MACHINE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tunnel_keeps_the_links_port() {
        let command = tunnel("http://127.0.0.1:3000/s/x").unwrap();
        assert_eq!(command, "ssh -L 3000:127.0.0.1:3000 USER@MACHINE");
        assert_eq!(tunnel("http://[::1]:81/s/x").as_deref(), Some("ssh -L 81:127.0.0.1:81 USER@MACHINE"));
        assert_eq!(tunnel("http://localhost/s/x"), None);
    }
}
