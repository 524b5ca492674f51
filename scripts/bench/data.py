"""The databases: `shop` in three sizes, `tables` with many small ones, `nothing`.

Three tables with foreign keys and secondary indexes; at full size 500,000 customers, 3,000,000 orders and 2,500,000
events with JSON, about 0.95 GB as SQL. The rows follow from their numbers, so every run has the same.
"""

import os
import threading

CUSTOMERS, ORDERS, EVENTS, TABLES = 500_000, 3_000_000, 2_500_000, 10_000
HERE = os.path.dirname(__file__)


def generate(servers, divisor, wanted):
    """Makes the databases whose names are wanted, on all servers at the same time."""
    failures = []

    def make(server):
        try:
            for name, by in {"shop": 1, "shop_10th": 10, "shop_100th": 100}.items():
                if name in wanted:
                    _shop(server, name, divisor * by)
            if "tables" in wanted:
                _tables(server, TABLES // divisor)
            server.fresh("nothing")
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            failures.append((server.name, getattr(error, "stderr", error)))

    threads = [threading.Thread(target=make, args=(server,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"bench: no data: {failures}")


def _shop(server, name, divisor):
    server.fresh(name)
    with open(os.path.join(HERE, f"{server.name.lower()}.sql")) as file:
        text = file.read()
    for word, rows in {":customers": CUSTOMERS, ":orders": ORDERS, ":events": EVENTS}.items():
        text = text.replace(word, str(max(rows // divisor, 10)))
    server.sql(text, name)


def _tables(server, count):
    server.fresh("tables")
    columns = "(id int primary key, name varchar(50) not null, at timestamp null)"
    rows = ", ".join(f"({row}, 'row {row}', '2024-01-01')" for row in range(10))
    statements = [f"CREATE TABLE t{n:05} {columns}; INSERT INTO t{n:05} VALUES {rows};" for n in range(count)]
    # In transactions of a hundred tables: thousands of flushed commits are not what is measured.
    for start in range(0, count, 100):
        server.sql("BEGIN;" + "\n".join(statements[start:start + 100]) + "COMMIT;", "tables")
