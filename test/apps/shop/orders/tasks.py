"""What the workers do."""

import time

from celery import shared_task
from django.db.models import F

from .models import Order, Tick

VERSION = 1


@shared_task
def fulfil(order_id):
    """See to an order."""
    time.sleep(0.1)
    Order.objects.filter(pk=order_id).update(runs=F("runs") + 1, by=VERSION)


@shared_task
def tick():
    """Be told by beat."""
    Tick.objects.create(version=VERSION)
