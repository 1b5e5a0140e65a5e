//! Apps that share their serving threads.

use std::sync::Arc;

use engine::Clock;
use front_door::{Death, FrontDoor, FrontDoorSettings, ServingThreads};

use crate::support::{StillClock, Wire, route, settings, threads, workers};

fn open(name: &str, serving: &ServingThreads) -> FrontDoor {
    let settings = FrontDoorSettings { app: name.parse().unwrap(), ..settings() };
    let clock = Arc::new(StillClock::default()) as Arc<dyn Clock>;
    FrontDoor::bind(settings, clock, serving).unwrap()
}

#[tokio::test]
async fn apps_on_the_same_thread_know_nothing_of_each_other() {
    let serving = threads(1);
    let (shop, blog) = (open("shop", &serving), open("blog", &serving));
    drop(serving);
    let [of_shop, of_blog] = workers().await;
    route(&shop, [&of_shop]);
    route(&blog, [&of_blog]);
    let mut reader = Wire::connect(&blog).await;
    reader.ask("GET", "/").await;
    let mut upstream = of_blog.accept().await;
    upstream.head().await;
    let mut buyer = Wire::connect(&shop).await;
    buyer.ask("GET", "/").await;
    of_shop.accept().await.head().await;

    let toll = shop.worker_died(&of_shop.id, Death::Killed).await;
    assert_eq!((toll.count, blog.in_flight(&of_blog.id)), (1, 1));
    assert_eq!(buyer.answered().await.0, 502);
    assert_eq!(shop.take_minutes().await.len(), 1);
    assert_eq!(blog.take_minutes().await[0].most_in_flight, 1);

    drop(shop);
    assert_eq!(buyer.rest().await, b"", "a front door that is gone has no connections");
    upstream.answer(200, b"still here").await;
    assert_eq!(reader.answered().await, (200, b"still here".to_vec()));
}
