"""The admin site: its home page, and the search that every page reaches with Ctrl+K."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from tracking import clock

_COMMAND_RESULTS: Final = 20


class DftAdminSite(UnfoldAdminSite):
    site_title = site_header = "Data Flow Tracking"
    index_title = "Home"
    index_template = "tracking/home.html"
    enable_nav_sidebar = True

    def extra_urls(self) -> list[URLPattern]:
        return [path("find/", self.admin_view(self.find), name="find")]

    def get_urls(self) -> list[URLPattern]:
        """Without two of Django's that nothing here uses: the first tells whether a row exists,
        whosever it is, the second lists rows of any model that another refers to."""
        unused = ("view_on_site", "autocomplete")
        return [each for each in super().get_urls() if getattr(each, "name", None) not in unused]

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        from tracking.admin.dashboard import home

        board = home(request)
        return super().index(request, {"board": board, **(extra_context or {})})

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The sidebar lists what there is, in better groups than Django's apps."""
        return HttpResponseRedirect(reverse("admin:index"))

    def find(self, request: HttpRequest) -> HttpResponse:
        """From the search box: one hit opens its lifetime, several are listed to choose from."""
        from tracking.admin.dashboard import hits, the_one, unlisted

        if not request.user.has_perm("tracking.view_transaction"):
            raise PermissionDenied
        term = request.GET.get("q", "").strip()
        found = hits(request, term)
        if one := the_one(found, term):
            return HttpResponseRedirect(one.url)
        if not found and (url := unlisted(request, term)):
            return HttpResponseRedirect(url)
        context = {
            **self.each_context(request),
            "title": "Search",
            "term": term,
            "hits": found,
        }
        request.current_app = self.name
        return TemplateResponse(request, "tracking/found.html", context)

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ctrl+K and the sidebar. The theme's own lower-cases the term and remembers answers
        for minutes; ids have cases, and an object may arrive a second later."""
        from tracking.admin.dashboard import hits

        term = request.GET.get("s", "").strip()
        if not term:
            return HttpResponse()
        began = clock.now()
        results = [
            SearchResult(
                hit.object_id, f"{hit.object_type}, {hit.flow}, {hit.said}", hit.url, "tag"
            )
            for hit in hits(request, term)[:_COMMAND_RESULTS]
        ]
        results += self._search_apps(self.get_app_list(request), term.lower())
        extended = "extended" in request.GET
        page = Paginator(results, max(1, len(results)))
        return TemplateResponse(
            request,
            "unfold/helpers/command_results.html"
            if extended
            else "unfold/helpers/search_results.html",
            {
                "page_obj": page,
                "results": page.page(1),
                "page_counter": 0,
                "execution_time": (clock.now() - began).total_seconds(),
                "command_show_history": False,
            },
            headers={"HX-Trigger": "search"},
        )
