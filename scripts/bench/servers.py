"""A PostgreSQL 15 and a MySQL 9.7 from the tests' cache, each in a temporary folder, on a free port of 127.0.0.1.

Both keep what a crash would need (fsync, double writes), as a platform's servers do. TLS is off, because not every
client here speaks it alike, and binary logging, which a restore would pay for twice.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time

CACHE = os.environ.get("DBHAUL_TEST_SERVERS") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "dbhaul-test-servers")
PASSWORD = "bench"
PG_BIN = "/usr/lib/postgresql/15/bin"
MYSQL_BIN = f"{CACHE}/bin/mysql-9.7"
MYSQL_ROOT = f"{CACHE}/sid"

POSTGRES_SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_locks_per_transaction": "1024",  # 10,000 tables are dumped and restored in one transaction
}
MYSQL_SETTINGS = {
    "innodb-buffer-pool-size": "1G",
    "innodb-redo-log-capacity": "2G",
    "skip-log-bin": None,
    "tls-version": "",
    "local-infile": "1",
    "secure-file-priv": "",
}


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """Runs inside a `with`; whatever ends that, the server and its folder are gone. Killed with its parent, too."""

    owner = None
    root = ""

    def __enter__(self):
        self.port = _free_port()
        self.folder = tempfile.mkdtemp(prefix="dbhaul-bench-", dir=f"{self.root}/tmp" if self.root else None)
        self.inside = self.folder.removeprefix(self.root)
        self.process = None
        try:
            if self.owner:
                shutil.chown(self.folder, self.owner, self.owner)
            self.initialise()
            self.process = subprocess.Popen(self.as_server(self.command()), stdout=self._log(), stderr=self._log())
            self._wait()
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def as_server(self, command):
        words = ["chroot", self.root] if self.root else []
        words += ["setpriv", "--pdeathsig=KILL"]
        if self.owner:
            words += [f"--reuid={self.owner}", f"--regid={self.owner}", "--clear-groups"]
        return words + command

    def _log(self):
        return open(os.path.join(self.folder, "log"), "ab")

    def once(self, command):
        """Runs one of the server's programs to its end."""
        with self._log() as log:
            ended = subprocess.run(self.as_server(command), stdout=log, stderr=log, cwd="/").returncode
        if ended != 0:
            raise SystemExit(f"bench: {command[0]}: exit code {ended}\n{self._said()}")

    def _said(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as log:
            return log.read()[-4000:]

    def _wait(self):
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                self.sql("SELECT 1")
                return
            except subprocess.CalledProcessError:
                time.sleep(0.1)
        raise SystemExit(f"bench: the server does not start\n{self._said()}")

    def counts(self, database):
        """Rows by table."""
        queries = "".join(f"SELECT '{table}', count(*) FROM {table};" for table in self.tables(database))
        lines = self.sql(queries, database).replace("|", "\t").splitlines()
        return {name: int(rows) for name, rows in (line.split("\t") for line in lines)}

    def _run(self, command, text):
        ended = subprocess.run(command, input=text, text=True, check=False, env=self.environment(), capture_output=True)
        if ended.returncode != 0:
            raise subprocess.CalledProcessError(ended.returncode, command, ended.stdout, ended.stderr)
        return ended.stdout.strip()


class Postgres(Server):
    name = "PostgreSQL"
    owner = "postgres"
    stop_signal = 2  # a fast shutdown
    system = "postgres"

    def initialise(self):
        secret = os.path.join(self.folder, "password")
        with open(secret, "w") as file:
            file.write(PASSWORD)
        shutil.chown(secret, self.owner, self.owner)
        self.once([f"{PG_BIN}/initdb", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
                   "--username=bench", f"--pwfile={secret}", f"--pgdata={self.folder}/data"])

    def command(self):
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
                    # In the data folder, not in /dev/shm, where a killed server would leave it.
                    "dynamic_shared_memory_type": "mmap", **POSTGRES_SETTINGS}
        return [f"{PG_BIN}/postgres", "-D", f"{self.folder}/data", *(f"--{k}={v}" for k, v in settings.items())]

    def prepare(self):
        self.version = self.sql("SHOW server_version").split()[0]

    def environment(self):
        return {**_plain(), "PATH": f"{PG_BIN}:{os.environ['PATH']}", "PGHOST": "127.0.0.1", "PGPORT": str(self.port),
                "PGUSER": "bench", "PGPASSWORD": PASSWORD, "PGDATABASE": "shop",
                "SHOP": self.uri("shop"), "TARGET": self.uri("target")}

    def uri(self, database):
        return f"postgres://bench:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def sql(self, text, database=None):
        return self._run([f"{PG_BIN}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database or self.system], text)

    def fresh(self, database):
        """An empty database, and nothing that the server still owes the disk."""
        self.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.sql(f"CREATE DATABASE {database}")
        self.sql("CHECKPOINT")

    def tables(self, database):
        return self.sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
                        "ORDER BY 1", database).split()

    def fingerprint(self, database):
        """Rows and checksums of all tables, and every index and constraint."""
        tables = self.tables(database)
        rows = [self.sql(f"SELECT '{table}', count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t",
                         database) for table in tables]
        rest = self.sql("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1; "
                        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint "
                        "WHERE connamespace = 'public'::regnamespace ORDER BY 2", database)
        return "\n".join([*rows, rest])


class Mysql(Server):
    name = "MySQL"
    root = MYSQL_ROOT
    stop_signal = 15
    system = "mysql"

    def initialise(self):
        self.once(["/usr/sbin/mysqld", "--no-defaults", "--user=root", "--initialize-insecure",
                   f"--datadir={self.inside}/data"])
        # What the password's first use costs (an exchange of keys) would be no client's.
        with open(os.path.join(self.folder, "init.sql"), "w") as file:
            file.write(f"CREATE USER bench@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO bench@'%' WITH GRANT OPTION;")
        with open(os.path.join(self.folder, "client.cnf"), "w") as file:
            file.write(f"[client]\nhost=127.0.0.1\nport={self.port}\nuser=bench\npassword={PASSWORD}\nprotocol=tcp\n")

    def command(self):
        settings = {"user": "root", "datadir": f"{self.inside}/data", "socket": f"{self.inside}/socket",
                    "tmpdir": self.inside, "pid-file": f"{self.inside}/pid", "init-file": f"{self.inside}/init.sql",
                    "port": self.port, "bind-address": "127.0.0.1", "mysqlx": "OFF", **MYSQL_SETTINGS}
        return ["/usr/sbin/mysqld", "--no-defaults",
                *(f"--{k}" if v is None else f"--{k}={v}" for k, v in settings.items())]

    def prepare(self):
        # The socket counts as safe, so the password goes through; from then on the server knows it, by TCP as well.
        self._run([f"{MYSQL_BIN}/mysql", "--no-defaults", f"--socket={self.folder}/socket", "-ubench",
                   f"-p{PASSWORD}", "-e", "SELECT 1"], "")
        self.version = self.sql("SELECT version()")

    def environment(self):
        return {**_plain(), "PATH": f"{MYSQL_BIN}:{os.environ['PATH']}", "CNF": f"{self.folder}/client.cnf",
                "DBHAUL_CLIENT_DIR": MYSQL_BIN, "SHOP": self.uri("shop"), "TARGET": self.uri("target")}

    def uri(self, database):
        return f"mysql://bench:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def sql(self, text, database=None):
        how = [f"--defaults-file={self.folder}/client.cnf"]
        if not hasattr(self, "version"):
            how = ["--no-defaults", f"--socket={self.folder}/socket", "-ubench", f"-p{PASSWORD}"]
        return self._run([f"{MYSQL_BIN}/mysql", *how, "-BN", database or self.system], text)

    def fresh(self, database):
        """An empty database."""
        self.sql(f"DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database}")

    def tables(self, database):
        return self.sql("SHOW TABLES", database).split()

    def fingerprint(self, database):
        """Rows and checksums of all tables, and every index and foreign key."""
        tables = self.tables(database)
        rows = [self.sql(f"SELECT '{table}', count(*) FROM {table}; CHECKSUM TABLE {table}", database)
                for table in tables]
        rest = self.sql(f"""SELECT table_name, index_name, seq_in_index, column_name FROM information_schema.statistics
            WHERE table_schema = '{database}' ORDER BY 1, 2, 3;
            SELECT table_name, column_name, referenced_table_name FROM information_schema.key_column_usage
            WHERE table_schema = '{database}' ORDER BY 1, 2, 3""")
        return "\n".join([*rows, rest]).replace(f"{database}.", "")


def _plain():
    return {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TMPDIR": tempfile.gettempdir()}
