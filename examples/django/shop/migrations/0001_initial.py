"""The tables of the shop."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Customers and orders."""

    initial = True
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            "Customer",
            [
                (
                    "id",
                    models.BigAutoField(primary_key=True, auto_created=True, serialize=False, verbose_name="ID"),
                ),
                ("name", models.CharField(max_length=40, unique=True)),
                ("credit", models.PositiveIntegerField(default=10_000)),
            ],
        ),
        migrations.CreateModel(
            "Order",
            [
                (
                    "id",
                    models.BigAutoField(primary_key=True, auto_created=True, serialize=False, verbose_name="ID"),
                ),
                ("amount", models.PositiveIntegerField()),
                ("customer", models.ForeignKey("shop.Customer", on_delete=models.CASCADE)),
            ],
        ),
    ]
