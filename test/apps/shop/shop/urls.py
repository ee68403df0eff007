"""The addresses."""

from django.contrib import admin
from django.urls import path

from orders import views

urlpatterns = [
    path("", views.index),
    path("healthz/", views.healthz),
    path("orders/", views.orders),
    path("admin/", admin.site.urls),
]
