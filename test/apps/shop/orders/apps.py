"""The orders' configuration."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created


def write_ahead(sender, connection, **kwargs):
    """Let readers and a writer of SQLite work at the same time."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")


class OrdersConfig(AppConfig):
    """The orders."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "orders"

    def ready(self):
        """Set SQLite up."""
        connection_created.connect(write_ahead)
