"""What is ordered, and how often the clock ticked."""

from django.db import models


class Order(models.Model):
    """An order, and how often and by which version it was seen to."""

    name = models.CharField(max_length=200)
    runs = models.IntegerField(default=0)
    by = models.IntegerField(null=True)


class Tick(models.Model):
    """Beat was here."""

    version = models.IntegerField()
