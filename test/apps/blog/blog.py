"""A blog as Flask's tutorial begins it: a factory, an instance folder with SQLite, a command for the tables."""

import os
import sqlite3

import click
from flask import Flask, current_app, g, jsonify, request

VERSION = 1


def get_db() -> sqlite3.Connection:
    """Open the request's connection."""
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"], timeout=20)
        g.db.row_factory = sqlite3.Row
    return g.db


@click.command("init-db")
def init_db_command() -> None:
    """Make the tables."""
    with current_app.open_resource("schema.sql") as f:
        get_db().executescript(f.read().decode("utf8"))
    click.echo("Initialized the database.")


def create_app() -> Flask:
    """Make the application."""
    app = Flask(__name__, instance_relative_config=True)
    app.config.from_mapping(
        SECRET_KEY=os.environ["SECRET_KEY"],
        DATABASE=os.path.join(app.instance_path, "blog.sqlite"),
    )
    os.makedirs(app.instance_path, exist_ok=True)
    app.cli.add_command(init_db_command)

    @app.teardown_appcontext
    def close_db(error: BaseException | None) -> None:
        db = g.pop("db", None)
        if db is not None:
            db.close()

    @app.get("/")
    def index():
        return jsonify(version=VERSION, scheme=request.scheme)

    @app.get("/posts")
    def posts():
        return jsonify([row["title"] for row in get_db().execute("SELECT title FROM post")])

    @app.post("/posts")
    def create():
        title = request.get_json()["title"]
        with get_db() as db:
            db.execute("INSERT INTO post (title) VALUES (?)", (title,))
        return jsonify(title=title), 201

    return app
