//! The whole way of a crash with PostgreSQL as the store.

mod support;

use support::Medic;

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one and sets MEDIC_TEST_POSTGRES"]
fn a_crash_is_recorded_in_postgresql_and_nowhere_else() {
    let url = std::env::var("MEDIC_TEST_POSTGRES").expect("MEDIC_TEST_POSTGRES names a server to test on");
    let medic = Medic::with_shop(&format!("[database]\nurl = \"{url}\"\n"), "");
    medic.until_running();
    let before = medic.crashes();
    assert_eq!(medic.crash("abort"), before + 1);
    assert_eq!(medic.json("/api/v1/apps/shop/crashes")[0]["signal"], "SIGABRT");
    assert!(!medic.data_dir().join("medic.db").exists());
    assert_eq!(medic.get("/healthz").status, 200);
}
