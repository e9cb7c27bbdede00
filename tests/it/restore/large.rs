//! Large values go in parts, and come to the same.

use super::*;

/// Values of every kind of elements, some hundred KB each.
fn large(server: &Server) {
    let script = "
        for i = 1, 4000 do
            redis.call('HSET', '{l}h', 'field:' .. i, redis.sha1hex(i))
            redis.call('RPUSH', '{l}l', redis.sha1hex(i))
            redis.call('SADD', '{l}s', redis.sha1hex(i))
            redis.call('ZADD', '{l}z', i / 3, redis.sha1hex(i))
            redis.call('XADD', '{l}x', i .. '-1', 'f', redis.sha1hex(i))
        end
        redis.call('XGROUP', 'CREATE', '{l}x', 'g', '0')
        redis.call('XREADGROUP', 'GROUP', 'g', 'me', 'COUNT', '10', 'STREAMS', '{l}x', '>')
        redis.call('PEXPIREAT', '{l}h', 4102444800000)";
    let keys = ["{l}h", "{l}l", "{l}s", "{l}z", "{l}x"];
    let mut words = vec!["EVAL", script, "5"];
    words.extend(keys);
    let said = server.cli(&words);
    assert!(!said.contains("ERR"), "{said}");
}

#[test]
fn large_values_go_in_parts_and_are_equal() {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(1, 0),
    };
    large(&stage.source[0]);
    stage.backup();
    let target = empty(2);
    let report = proven(
        stage
            .restore(&target[0].addr(), &["--max-stall", "1ms"])
            .run(),
    );
    assert_eq!(
        (&report["in_parts"], &report["keys"]),
        (&5.into(), &5.into())
    );
    assert_eq!(report["proof"]["keys_equal"], 5);
    let servers: Vec<&Server> = target.iter().collect();
    assert_eq!(keys(&servers), 5);
    let again = [
        "--max-stall",
        "1ms",
        "--replace",
        "--confirm",
        &target[0].addr(),
    ];
    let report = proven(stage.restore(&target[0].addr(), &again).run());
    assert_eq!(report["in_parts"], 5);
    let skipped = ["--max-stall", "1ms", "--skip-existing"];
    let report = proven(stage.restore(&target[0].addr(), &skipped).run());
    assert_eq!(report["kept"], 5);
    assert_eq!(keys(&servers), 5);
}
