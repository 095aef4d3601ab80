"""Grafana: dashboards, and the files by which it finds them and Prometheus (extra `grafana`).

Made by Grafana's own builders for 11.6; newer ones read them too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import yaml

from modelyard.errors import Unsupported
from modelyard.monitoring.export.boards import BOARDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.monitoring.export.boards import Board, Panel

__all__ = ["dashboard", "grafana_files"]

_SOURCE: Final = "${datasource}"
_HEIGHTS: Final = {"stat": 4}
_HEIGHT: Final = 8
_CHANGES: Final = (
    'sum by (version) (changes(modelyard_deployment_share_ratio{deployment="$deployment"}'
    "[$__rate_interval])) > 0"
)


def grafana_files(
    *, prometheus: str = "http://localhost:9090", folder: str = "/etc/grafana/modelyard/dashboards"
) -> dict[str, str]:
    """Dashboards and provisioning, by the names of their files.

    Args:
        prometheus: As Grafana reaches it.
        folder: Where Grafana will find the dashboards.

    Unsupported: `no-extra`.
    """
    files = {f"dashboards/{board.uid}.json": dashboard(board) for board in BOARDS}
    files["provisioning/datasources/modelyard.yaml"] = _yaml(
        {
            "apiVersion": 1,
            "datasources": [
                {"name": "Prometheus", "uid": "modelyard-prometheus", "type": "prometheus",
                 "access": "proxy", "url": prometheus, "isDefault": True,
                 "jsonData": {"httpMethod": "POST", "timeInterval": "15s"}},
            ],
        }
    )  # fmt: skip
    files["provisioning/dashboards/modelyard.yaml"] = _yaml(
        {
            "apiVersion": 1,
            "providers": [
                {"name": "modelyard", "folder": "modelyard", "type": "file",
                 "allowUiUpdates": False, "updateIntervalSeconds": 30,
                 "options": {"path": folder}},
            ],
        }
    )  # fmt: skip
    return files


def dashboard(board: Board) -> str:
    """One dashboard as Grafana's JSON."""
    try:
        from grafana_foundation_sdk.builders import dashboard as build
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.models import dashboard as model
    except ImportError:
        raise Unsupported(
            "no-extra", "what makes dashboards is not installed",
            hint="pip install 'modelyard[grafana]'",
        ) from None  # fmt: skip
    made = (
        build.Dashboard(board.title).uid(board.uid).description(board.words)
        .tags(["modelyard"]).timezone("browser").refresh("10s").time("now-1h", "now")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(build.DatasourceVariable("datasource").label("Prometheus")
                       .type("prometheus"))
        .link(build.DashboardLink("modelyard").type(model.DashboardLinkType.DASHBOARDS)
              .tags(["modelyard"]).keep_time(True).include_vars(True).as_dropdown(True))
    )  # fmt: skip
    if board.one:
        series = "modelyard_inference_requests_total"
        made.with_variable(_choice("deployment", f"label_values({series}, deployment)"))
        of = f'label_values({series}{{deployment="$deployment"}}, version)'
        made.with_variable(_choice("version", of, several=True))
        made.annotation(
            build.AnnotationQuery().name("Rollouts").enable(True).icon_color("purple")
            .datasource(_source()).expr(_CHANGES)
        )  # fmt: skip
    number, y = 1, 0
    for title, panels in board.rows:
        made.with_row(build.Row(title).id(number).grid_pos(model.GridPos(1, 24, 0, y)))
        number, y, x, tall = number + 1, y + 1, 0, 0
        for panel in panels:
            height = _HEIGHTS.get(panel.kind, _HEIGHT)
            if x + panel.width > 24:
                x, y, tall = 0, y + tall, 0
            place = model.GridPos(height, panel.width, x, y)
            made.with_panel(_panel(panel).id(number).grid_pos(place))
            number, x, tall = number + 1, x + panel.width, max(tall, height)
        y += tall
    return json.dumps(made.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _source() -> Any:
    from grafana_foundation_sdk.models.dashboard import DataSourceRef

    return DataSourceRef(type_val="prometheus", uid=_SOURCE)


def _choice(name: str, query: str, *, several: bool = False) -> Any:
    from grafana_foundation_sdk.builders.dashboard import QueryVariable
    from grafana_foundation_sdk.models.dashboard import VariableRefresh, VariableSort

    made = (
        QueryVariable(name).label(name.capitalize()).datasource(_source())
        .query({"query": query, "refId": name}).sort(VariableSort.NATURAL_ASC)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )  # fmt: skip
    return made.multi(True).include_all(True).all_value(".*") if several else made


def _panel(panel: Panel) -> Any:
    from grafana_foundation_sdk.builders import (
        common,
        heatmap,
        prometheus,
        stat,
        table,
        timeseries,
    )
    from grafana_foundation_sdk.models import common as model
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

    if panel.kind == "stat":
        made: Any = stat.Panel().graph_mode(model.BigValueGraphMode.AREA)
        made.color_mode(model.BigValueColorMode.VALUE)
    elif panel.kind == "table":
        made = table.Panel()
    elif panel.kind == "heatmap":
        made = heatmap.Panel().show_legend()
    else:
        made = timeseries.Panel().line_width(1).show_points(model.VisibilityMode.AUTO)
        made.fill_opacity(60 if panel.kind == "bars" else 8)
        made.legend(common.VizLegendOptions().show_legend(True)
                    .display_mode(model.LegendDisplayMode.LIST)
                    .placement(model.LegendPlacement.BOTTOM))  # fmt: skip
        made.tooltip(common.VizTooltipOptions().mode(model.TooltipDisplayMode.MULTI))
        if panel.kind == "bars":
            made.draw_style(model.GraphDrawStyle.BARS)
        if panel.title.startswith("Bias"):
            made.axis_centered_zero(True)
        else:
            made.min(0)
    made.title(panel.title).description(panel.words).datasource(_source())
    if panel.kind != "table":
        made.unit(panel.unit)
    if panel.limits is not None:
        made.thresholds(_limits(panel.limits))
    for place, query in enumerate(panel.queries):
        target = (
            prometheus.Dataquery().expr(query.expr).legend_format(query.legend)
            .ref_id("ABCDEFGH"[place]).datasource(_source())
        )  # fmt: skip
        if panel.kind == "table":
            target.instant().format(PromQueryFormat.TABLE)
        else:
            target.range()
        if panel.kind == "heatmap":
            target.format(PromQueryFormat.HEATMAP)
        if panel.title == "Latency":
            target.exemplar(True)
        made.with_target(target)
    return made


def _limits(limits: tuple[float, float]) -> Any:
    from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
    from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

    warn, bad = limits
    steps = [Threshold(value=None, color="green"), Threshold(value=warn, color="yellow"),
             Threshold(value=bad, color="red")]  # fmt: skip
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _yaml(told: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(told), sort_keys=False))
