"""A prompt for SQL, in a container of the application's image, whose drivers it uses.

Arguments: how (read or write), the seconds that a statement may take, the form (table or csv), the file
of SQLite or "", the names of the variables with the address, parted by commas, and the SQL or "".
"""

import csv
import os
import sys
import time

how, seconds, form, path, names, given = sys.argv[1:7]
seconds, most = float(seconds), 1000
people = given == "" and sys.stdin.isatty()


def fail(text):
    sys.stderr.write("stack db: %s\n" % text)
    sys.exit(125)


def address():
    for name in names.split(","):
        if os.environ.get(name):
            return os.environ[name]
        if os.environ.get(name + "_FILE"):
            with open(os.environ[name + "_FILE"]) as file:
                return file.read().strip()
    fail("none of %s is set in the application's containers: which database it has is not known" % names)


class SQLite:
    tables = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"

    def __init__(self, file):
        import sqlite3
        from urllib.parse import quote

        if not os.path.exists(file):
            fail("there is no file %s in the container" % file)
        self.module, self.over = sqlite3, 0
        # Without autocommit of Python's own: a statement that is over holds nothing. One that is opened to
        # read never writes the log back into the file, which would have writers wait.
        self.connection = sqlite3.connect("file:%s?mode=%s" % (quote(file), "rw" if how == "write" else "ro"), uri=True, isolation_level=None, timeout=5)
        if how == "read":
            self.connection.execute("PRAGMA query_only = 1")
        # A reader at work keeps the log from getting shorter.
        self.connection.set_progress_handler(lambda: time.monotonic() > self.over, 10000)

    def run(self, sql):
        self.over = time.monotonic() + seconds
        return self.connection.execute(sql)

    def complete(self, sql):
        return self.module.complete_statement(sql)

    def parts(self, sql):
        part = ""
        for piece in sql.split(";"):
            part += piece + ";"
            if self.complete(part):
                if part.strip() != ";":
                    yield part
                part = ""
        if part.strip(" \n;"):
            yield part

    def why(self, error):
        if "interrupted" in str(error):
            return "it took longer than %g s, and was ended (--timeout)" % seconds
        return str(error)

    def schema(self, table):
        return "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name = '%s'" % table.replace("'", "''")


class PostgreSQL:
    tables = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"

    def __init__(self, url):
        scheme, rest = url.split("://", 1)
        url = "postgresql://" + rest
        try:
            import psycopg as driver
        except ImportError:
            try:
                import psycopg2 as driver
            except ImportError:
                fail("the application's image has neither psycopg nor psycopg2, by which %s could be asked" % scheme)
        self.connection = driver.connect(url)
        self.connection.autocommit = True
        cursor = self.connection.cursor()
        cursor.execute("SET statement_timeout = %d" % (seconds * 1000))
        if how == "read":
            cursor.execute("SET default_transaction_read_only = on")

    def run(self, sql):
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return cursor

    def complete(self, sql):
        return sql.rstrip().endswith(";")

    def parts(self, sql):
        yield sql  # the server takes several

    def why(self, error):
        return str(error).strip()

    def schema(self, table):
        return "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_name = '%s' ORDER BY ordinal_position" % table.replace("'", "''")


def text(value):
    if value is None:
        return ""
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return str(value)


def show(cursor):
    if cursor.description is None:
        if people:
            print("done" if cursor.rowcount < 0 else "%d rows" % cursor.rowcount)
        return
    heads = [column[0] for column in cursor.description]
    if form == "csv" or not people:
        writer = csv.writer(sys.stdout, delimiter="," if form == "csv" else "\t", lineterminator="\n")
        if form == "csv":
            writer.writerow(heads)
        for row in cursor:
            writer.writerow([text(value) for value in row])
        return
    rows = [[text(value).replace("\n", " ")[:60] for value in row] for row in cursor.fetchmany(most)]
    widths = [max([len(head)] + [len(row[i]) for row in rows]) for i, head in enumerate(heads)]
    for line in [heads, ["-" * width for width in widths]] + rows:
        print("  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip())
    more = cursor.fetchone() is not None
    print("(the first %d rows: LIMIT says which)" % most if more else "(%d rows)" % len(rows))


def main():
    url = "" if path else address()
    scheme = url.split(":", 1)[0].split("+")[0]
    if path or scheme == "sqlite":
        database = SQLite(path or os.path.join(os.getcwd(), url.split("://", 1)[1].split("?")[0][1:]))
    elif scheme in ("postgresql", "postgres"):
        database = PostgreSQL(url)
    else:
        fail("it is a database of the kind %s; allowed: sqlite, postgresql" % scheme)

    def do(sql):
        word, _, rest = sql.strip().rstrip(";").partition(" ")
        sql = {".tables": database.tables, "\\dt": database.tables}.get(word, sql)
        if word in (".schema", "\\d"):
            sql = database.schema(rest.strip()) if rest else database.tables
        try:
            for part in database.parts(sql):
                show(database.run(part))
            return True
        except Exception as error:  # of whatever driver
            sys.stdout.flush()
            sys.stderr.write("%s\n" % database.why(error))
            return False

    if not people:
        statement, well = "", True
        for line in (given.splitlines(True) if given else sys.stdin):
            statement += line
            if database.complete(statement) or statement.strip().startswith("."):
                well, statement = do(statement) and well, ""
        if statement.strip():
            well = do(statement) and well
        return 0 if well else 1

    try:
        import readline  # noqa: F401: input() edits its line with it
    except ImportError:
        pass
    print("%s. SQL, ended by ;   .tables   .schema TABLE   .quit" % ("It may write" if how == "write" else "It reads only (--write)"))
    statement = ""
    while True:
        try:
            line = input("     > " if statement else "sql> ")
        except EOFError:
            print()
            return 0
        except KeyboardInterrupt:
            print()
            statement = ""
            continue
        if not statement and line.strip().rstrip(";") in (".quit", ".exit", "\\q", "quit", "exit"):
            return 0
        statement += line + "\n"
        if not statement.strip():
            statement = ""
        elif database.complete(statement) or statement.lstrip()[0] in ".\\":
            try:
                do(statement)
            except KeyboardInterrupt:
                print()
            statement = ""


sys.exit(main())
