"""Every kind of pattern that a URLconf may hold."""

from __future__ import annotations

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy

from tests.integrations.django import api, views

inner = [
    path("", views.ok),
    path("<slug:line>/", views.ok, name="line"),
    re_path(r"^notes/(?P<note>[0-9]+)/$", views.ok),
]

urlpatterns = [
    path("", views.ok, name="home"),
    path("ok/<int:id>/", views.ok, name="ok"),
    path("aok/<int:id>/", views.aok),
    path("no-slash/<uuid:key>", views.ok),
    path("plain/<word>/and/<path:rest>", views.ok),
    re_path(r"^articles/(?P<year>[0-9]{4})/$", views.ok),
    re_path(r"^unnamed/(\d+)/(\w+)/?$", views.positional),
    path("orders/<int:order>/", include((inner, "orders"), namespace="orders")),
    path("archive/<int:order>/", include((inner, "orders"), namespace="archive")),
    path("answer/<int:code>/", views.answer),
    path("raising/<str:name>/", views.raising),
    path("araising/<str:name>/", views.araising),
    path("atomic/", views.atomic),
    path("template/", views.template),
    path("nothing/", views.nothing),
    path("stream/", views.stream),
    path("astream/", views.astream),
    path("late/", views.late),
    path("alate/", views.alate),
    path("events/", views.events),
    path("aevents/", views.aevents),
    path("endless/", views.endless),
    path("waiting/", views.waiting),
    path("own-cancellation/", views.own_cancellation),
    path("file/", views.file),
    path("said/", views.said),
    path("asaid/", views.asaid),
    path("tagged/", views.tagged),
    path("by-method/", views.ByMethod.as_view()),
    path("class/", views.Tagged.as_view()),
    path("decorated/", views.decorated(views.Tagged.as_view())),
    path("inherits/", views.Inherits.as_view()),
    path("desk/", views.Desk().view),
    path("desk/untagged/", views.Desk().untagged),
    path("drf/orders/", api.Orders.as_view()),
    path("drf/below/", api.below),
    path("drf/above/", api.above),
    path("drf/", include(api.router.urls)),
    path("ninja/", api.ninja.urls),
    *i18n_patterns(path("shop/<int:id>/", views.ok), path(gettext_lazy("translated/"), views.ok)),
]
