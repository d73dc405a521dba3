from cairn.images.fetch.keeping_alive import IDLE_S, MOST_HOSTS, KeepingAlive


def test_so_many_hosts_keep_their_connections_and_others_close_them() -> None:
    keeping = KeepingAlive(clock=lambda: 0.0)
    hosts = [f"host-{i}.test" for i in range(MOST_HOSTS + 1)]
    sent = [dict(keeping.headers(host)) for host in hosts]
    assert sent == [{}] * MOST_HOSTS + [{"Connection": "close"}]
    assert keeping.headers(hosts[0]) == {}


def test_hosts_that_were_not_asked_lately_make_room() -> None:
    now = [0.0]
    keeping = KeepingAlive(clock=lambda: now[0])
    for i in range(MOST_HOSTS):
        keeping.headers(f"host-{i}.test")
    now[0] = IDLE_S + 1
    assert keeping.headers("new.test") == {}
