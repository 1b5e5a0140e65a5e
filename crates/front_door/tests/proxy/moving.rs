//! A front door that moves to another address, or gives its sockets to another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use front_door::{FrontDoor, FrontDoorSettings, Listeners, ServingThreads};
use model::Clock;
use tokio::net::TcpStream;

use crate::support::{StillClock, Wire, route, settings, threads, until, workers};

fn open(name: &str, serving: &ServingThreads) -> FrontDoor {
    let settings = FrontDoorSettings { app: name.parse().unwrap(), ..settings() };
    FrontDoor::bind(settings, Arc::new(StillClock::default()) as Arc<dyn Clock>, serving).unwrap()
}

fn anywhere(count: usize) -> Listeners {
    Listeners::bind(&"shop".parse().unwrap(), "127.0.0.1:0".parse().unwrap(), count).unwrap()
}

async fn connect(address: SocketAddr) -> Wire {
    Wire::new(TcpStream::connect(address).await.unwrap())
}

#[tokio::test]
async fn connections_that_are_open_stay_and_new_ones_come_to_the_new_address() {
    // as many sockets as before, fewer, and more
    for count in [2, 1, 4] {
        let door = open("shop", &threads(2));
        let [worker] = workers().await;
        door.route(vec![worker.serve()]);
        let before = door.address();
        let mut clients = Vec::new();
        for _ in 0..8 {
            let mut client = Wire::connect(&door).await;
            client.ask("GET", "/").await;
            assert_eq!(client.answered().await.0, 200);
            clients.push(client);
        }
        door.listen(anywhere(count)).unwrap();
        assert_ne!(door.address(), before);
        until(|| std::net::TcpStream::connect(before).is_err()).await;
        for _ in 0..8 {
            clients.push(Wire::connect(&door).await);
        }
        for client in &mut clients {
            client.ask("GET", "/").await;
            assert_eq!(client.answered().await.0, 200);
        }
        let counted = door.take_minutes().await.iter().flat_map(|row| row.by_class).sum::<u64>();
        assert_eq!(counted, 24, "what was counted before is counted");
        door.shut_down(Duration::ZERO).await;
        assert!(TcpStream::connect(door.address()).await.is_err());
    }
}

#[tokio::test]
async fn two_front_doors_exchange_their_addresses_and_refuse_nobody() {
    let serving = threads(2);
    let (shop, blog) = (open("shop", &serving), open("blog", &serving));
    let [of_shop, of_blog] = workers().await;
    route(&shop, [&of_shop]);
    route(&blog, [&of_blog]);
    let (first, second) = (shop.address(), blog.address());
    let (of_first, of_second) = (shop.release().await.unwrap(), blog.release().await.unwrap());
    assert!(shop.release().await.is_none(), "it has none any more");
    // who comes now waits in the socket's queue
    let mut reader = connect(first).await;
    reader.ask("GET", "/posts").await;
    shop.listen(of_second).unwrap();
    blog.listen(of_first).unwrap();
    assert_eq!((shop.address(), blog.address()), (second, first));
    let mut upstream = of_blog.accept().await;
    upstream.head().await;
    upstream.answer(200, b"posts").await;
    assert_eq!(reader.answered().await, (200, b"posts".to_vec()));
}

#[tokio::test]
async fn what_is_configured_anew_holds_for_the_next_request() {
    let door = open("shop", &threads(1));
    door.configure(Duration::ZERO, false);
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    assert_eq!(client.answered().await.0, 503, "no worker, and no time to wait for one");
}
