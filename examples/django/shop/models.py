"""Customers with a credit, and their orders."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Customer(models.Model):
    """Somebody who may order for so many cents."""

    name: models.CharField[str, str] = models.CharField(max_length=40, unique=True)
    credit: models.PositiveIntegerField[int, int] = models.PositiveIntegerField(default=10_000)

    objects: ClassVar[models.Manager[Customer]] = models.Manager()


class Order(models.Model):
    """An amount in cents."""

    customer: models.ForeignKey[Customer, Customer] = models.ForeignKey(Customer, on_delete=models.CASCADE)
    amount: models.PositiveIntegerField[int, int] = models.PositiveIntegerField()

    objects: ClassVar[models.Manager[Order]] = models.Manager()
