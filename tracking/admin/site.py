"""The admin site: its home page, and the search that every page reaches with Ctrl+K."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
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
        # only now: those pages ask for the site
        from tracking.admin import second_factor, sign_in
        from tracking.admin.bottlenecks import bottlenecks_page
        from tracking.admin.costs import costs_page
        from tracking.admin.forecast import forecast_page
        from tracking.admin.simulating import simulation
        from tracking.admin.throughput import throughput_page

        mine, enrol = map(self.admin_view, (second_factor.mine, second_factor.enrol))
        return [
            path("find/", self.admin_view(self.find), name="find"),
            path("simulate/", self.admin_view(simulation), name="simulate"),
            path("insights/bottlenecks/", self.admin_view(bottlenecks_page), name="bottlenecks"),
            path("insights/costs/", self.admin_view(costs_page), name="costs"),
            path("insights/forecast/", self.admin_view(forecast_page), name="forecast"),
            path("insights/throughput/", self.admin_view(throughput_page), name="throughput"),
            path("sso/", self.sso, name="sso"),
            path("sso/callback/", self.sso_callback, name="sso_callback"),
            # of those who are half signed in: no page of the admin is open to them
            path("login/code/", sign_in.code, name="sign_in_code"),
            path("login/enrol/", sign_in.enrol, name="sign_in_enrol"),
            path("second-factor/", mine, name="second_factor"),
            path("second-factor/enrol/", enrol, name="second_factor_enrol"),
        ]

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's own page, with a view that goes on to the second factor."""
        from tracking.admin.sign_in import SignIn
        from tracking.admin.single_sign_on import button

        index = reverse("admin:index", current_app=self.name)
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(index)
        context = {
            **self.each_context(request),
            "title": "Sign in",
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **button(request),
            **(extra_context or {}),
        }
        request.current_app = self.name
        view = SignIn.as_view(
            extra_context=context,
            authentication_form=self.login_form,
            template_name="admin/login.html",
        )
        return view(request)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from tracking.admin.sign_in import ChangePassword

        view = ChangePassword.as_view(
            extra_context={**self.each_context(request), **(extra_context or {})},
            success_url=reverse("admin:password_change_done", current_app=self.name),
            template_name=self.password_change_template or "registration/password_change_form.html",
        )
        request.current_app = self.name
        return view(request)

    @method_decorator((never_cache, require_GET))
    def sso(self, request: HttpRequest) -> HttpResponse:
        from tracking.admin.single_sign_on import begin

        return begin(request, self)

    @method_decorator((never_cache, require_GET))
    def sso_callback(self, request: HttpRequest) -> HttpResponse:
        from tracking.admin.single_sign_on import finish

        return finish(request, self)

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
