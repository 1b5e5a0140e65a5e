//! What a worker finds in its environment and in its command line.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::Medic;

/// What the last worker wrote, as soon as no other follows.
fn output(medic: &Medic) -> Vec<String> {
    medic.until("the pause, which follows the second end", || {
        medic.instances()[0]["ends"]["count"].as_u64().filter(|count| *count >= 2)
    });
    let output = medic.json("/api/v1/apps/shop/instances/0/output");
    output["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

#[test]
fn files_fill_the_environment_and_the_table_overrides_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "A=first\nB=\"first\"\nC=first # not this\n").unwrap();
    std::fs::write(folder.path().join("local.env"), "export B='second $A'\nC=second\n").unwrap();
    let line = "echo \"[$A] [$B] [$C] [$WEBSITE_SITE_NAME]\"; false; exit $?";
    let command = ["/bin/sh".into(), "-c".into(), line.into()];
    let app =
        "back_off = \"1h\"\nenvironment_file = [\".env\", \"local.env\"]\nenvironment = { C = \"table\" }";
    let medic = Medic::in_folder(folder, &command, "", app);
    let lines = output(&medic);
    assert!(lines.iter().any(|line| line == "[first] [second $A] [table] [shop]"), "{lines:?}");
    assert_eq!(medic.instances()[0]["message"], "Exit code 1.");
    let page = medic.get("/apps/shop/settings").body;
    assert!(page.contains(".env, local.env") && page.contains("A=*** B=*** C=***"), "{page}");
    assert!(!page.contains("second $A"), "{page}");
}

#[test]
fn the_port_and_the_instances_names_are_replaced_in_the_command() {
    let Ok(lines) = lab::start(&[]) else { return };
    let python = lines[0].clone();
    let serve = ["-m", "http.server", "${PORT}", "--bind", "127.0.0.1"].map(Into::into);
    let mut command = vec![python];
    command.extend(serve);
    let medic = Medic::with_command(&command, "", "");
    medic.until_running();
    assert_eq!(medic.shop("/medic.toml").status, 200, "the folder of the configuration is served");
    let line = "echo $WEBSITE_SITE_NAME ${WEBSITE_INSTANCE_ID} \\$HOME; exit 3";
    let medic = Medic::with_command(&["/bin/sh".into(), "-c".into(), line.into()], "", "back_off = \"1h\"");
    let lines = output(&medic);
    let said = lines.iter().find(|line| line.starts_with("shop ")).unwrap();
    let words: Vec<&str> = said.split(' ').collect();
    assert!(words.len() == 3 && words[1].len() == 64 && words[2] == "$HOME", "{said}");
}
