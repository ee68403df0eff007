"""The pages."""

import json

from django.db import connection
from django.db.models import Count, Q
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from .models import Order, Tick
from .tasks import VERSION, fulfil


def index(request):
    """Tell what runs, and how it was asked."""
    return JsonResponse({"version": VERSION, "secure": request.is_secure()})


def healthz(request):
    """Answer while the database does."""
    connection.ensure_connection()
    return HttpResponse("ok")


@csrf_exempt
def orders(request):
    """Take an order, or tell what has become of all."""
    if request.method == "POST":
        order = Order.objects.create(name=json.loads(request.body)["name"])
        fulfil.delay(order.pk)
        return JsonResponse({"name": order.name}, status=201)
    told = Order.objects.aggregate(
        stored=Count("pk"), done=Count("pk", filter=Q(runs__gte=1)), twice=Count("pk", filter=Q(runs__gt=1))
    )
    by = dict(Order.objects.filter(runs__gte=1).values_list("by").annotate(Count("pk")))
    return JsonResponse({**told, "by": by, "ticks": Tick.objects.count()})
