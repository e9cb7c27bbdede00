//! What is seen of the machine of a node in a container.

use goodcache::cli::evidence::gather;
use goodcache::cluster::{Access, Ask, survey};
use goodcache::host::docker::{Engine, launch};
use goodcache::model::Events;

use super::{Project, docker};

#[tokio::test]
async fn the_limits_of_a_container_are_those_of_its_node() {
    let project = Project::new("evidence", 2);
    let engine = Engine::connect().await.unwrap();
    let nodes = launch(&engine, &project.spec, None, &Events::ignored())
        .await
        .unwrap();
    docker(&[
        "update",
        "--memory",
        "256m",
        "--memory-swap",
        "512m",
        &nodes[0].container,
    ]);
    let access = Access::to(nodes.iter().map(|node| node.addr.clone()));
    let ask = Ask {
        has_all_settings: true,
        ..Ask::default()
    };
    let evidence = gather(&access, survey(&access, &ask).await, false).await;
    let host = |n: usize| {
        let seen = &evidence.nodes[&nodes[n].addr];
        let host = seen.host.clone();
        host.unwrap_or_else(|| panic!("{:?}", seen.not_seen))
    };
    assert_eq!(host(0).limit_bytes, Some(256 << 20));
    assert_ne!(host(1).limit_bytes, Some(256 << 20));
    for n in [0, 1] {
        let host = host(n);
        assert_eq!(host.by, "docker");
        let inside = |file: &str| docker(&["exec", &nodes[n].container, "cat", file]);
        let somaxconn = inside("/proc/sys/net/core/somaxconn");
        assert_eq!(host.somaxconn, somaxconn.trim().parse().ok());
        let overcommit = inside("/proc/sys/vm/overcommit_memory");
        assert_eq!(host.overcommit, overcommit.trim().parse().ok());
        assert!(host.open_files.is_some() && host.memory_bytes.is_some());
    }
    assert_eq!(host(0).machine, host(1).machine);
}
