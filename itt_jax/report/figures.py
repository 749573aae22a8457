"""The report's figures, as SVG; each arm has its color, marker and line."""

import io
import itertools
import re
import warnings

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from itt_jax.analysis import Analysis
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.report.names import as_label, file_name
from itt_jax.report.tables.shown import home

UNSTYLED = (("#882255", "h", "-."), ("#332288", "p", "-."), ("#117733", "<", "-."), ("#AA4499", ">", "-."))
"""Color, marker and line of arms that set none, in turn; from Tol's muted palette."""
SETTINGS = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.axisbelow": True,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
}


def all_figures(analysis: Analysis) -> dict[str, str]:
    """Name of a figure -> SVG text: "primary", "curves-<target>", "operators-<target>", "languages-<target>"."""
    found = {}
    with rc_context(SETTINGS):
        if analysis.primary["estimate"].notna().any():
            found["primary"] = _svg(_forest(analysis), "primary")
        for target in dict.fromkeys(analysis.cells["target"]):
            for name, draw in (("curves", _curves), ("operators", _operators), ("languages", _languages)):
                figure = draw(analysis, target)
                if figure is not None:
                    found[f"{name}-{target}"] = _svg(figure, f"{name}-{target}")
    return found


def _svg(figure: Figure, name: str) -> str:
    """The figure as text for a page: the same text for the same figure, with ids of its own."""
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # Whoever shows the page has the glyphs; ours only measure.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    salt = file_name(name)
    return re.sub(r'(id="|href="#|url\(#)', lambda found: f"{found[1]}{salt}-", text)


def _styles(analysis: Analysis) -> dict[str, dict[str, str]]:
    """Arm -> its color, marker and line, as Matplotlib takes them."""
    unstyled = itertools.cycle(UNSTYLED)
    styles = {}
    for arm in analysis.arms:
        own = (arm.color, arm.marker, arm.line)
        color, marker, line = own if all(own) else next(unstyled)
        styles[arm.name] = {"color": color, "marker": marker, "linestyle": line}
    return styles


def _forest(analysis: Analysis) -> Figure:
    """The primary interactions with their intervals and the bounds of the smallest effect."""
    frame = analysis.primary[analysis.primary["estimate"].notna()].reset_index(drop=True)
    figure = Figure(figsize=(7.6, 1.0 + 0.36 * len(frame)))
    axes = figure.subplots()
    bound, styles = 100 * analysis.smallest_effect, _styles(analysis)
    axes.axvspan(-bound, bound, color="#EEEEEE", zorder=0)
    axes.axvline(0, color="#888888", linewidth=0.8)
    for y, row in frame.iterrows():
        style = styles[row["arm"]]
        axes.plot([100 * row["ci_low"], 100 * row["ci_high"]], [y, y], color=style["color"], linewidth=2)
        axes.plot(100 * row["estimate"], y, marker=style["marker"], color=style["color"], markersize=7)
    labels = [f"{model}: {arm} − {base}" for model, arm, base in frame[["model", "arm", "baseline"]].to_numpy()]
    if frame["metric"].nunique() > 1:
        labels = [f"{label} ({metric})" for label, metric in zip(labels, frame["metric"], strict=True)]
    axes.set_yticks(range(len(frame)), labels)
    axes.set_ylim(len(frame) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    kind = "perturbed − clean gain" if (frame["kind"] == "perturbation").all() else "gain in shifted − home domain"
    axes.set_xlabel(f"interaction ({kind}), points; grey: smaller than the smallest effect of interest")
    return figure


def _curves(analysis: Analysis, target: str) -> Figure | None:
    """Score by severity: a row for each encoder (and metric), a column for each operator, a line for each arm."""
    frame = analysis.curves[(analysis.curves["target"] == target) & (analysis.curves["language"] == "all")]
    frame = frame[(frame["domain"] == "all") & frame["severity"].notna()]
    operators = [name for name in dict.fromkeys(frame["perturbation"]) if name != "clean"]
    if not operators:
        return None
    several = [name for name in operators if frame.loc[frame["perturbation"] == name, "severity"].nunique() > 1]
    operators = several or operators
    rows = list(dict.fromkeys(zip(frame["model"], frame["metric"], strict=True)))
    figure = Figure(figsize=(max(4.2, 1.2 + 2.1 * len(operators)), 0.8 + 1.9 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(operators), sharey=True, squeeze=False)
    handles, styles = {}, _styles(analysis)
    for (model, metric), line_of_axes in zip(rows, grid, strict=True):
        part = frame[(frame["model"] == model) & (frame["metric"] == metric)]
        for operator, axes in zip(operators, line_of_axes, strict=True):
            for arm, own in part[part["perturbation"].isin(["clean", operator])].groupby("arm", sort=False):
                own = own.sort_values("severity")
                (line,) = axes.plot(own["severity"], 100 * own["estimate"], markersize=4.5, **styles[str(arm)])
                shade = {"color": line.get_color(), "alpha": 0.12, "linewidth": 0}
                axes.fill_between(own["severity"], 100 * own["ci_low"], 100 * own["ci_high"], **shade)
                handles.setdefault(arm, line)
            axes.grid(axis="y", color="#E5E5E5", linewidth=0.7)
            axes.set_title(operator if model == rows[0][0] else "")
        line_of_axes[0].set_ylabel(f"{model}\n{metric} %")
    low, high = 100 * frame["estimate"].min(), 100 * frame["estimate"].max()
    grid[0, 0].set_ylim(max(0 if low >= 0 else low, low - 12), min(100, high + 12))
    figure.supxlabel("severity (0 is clean text)", fontsize=9)
    figure.legend(handles.values(), map(as_label, handles), loc="outside upper center", ncols=len(handles))
    return figure


def _operators(analysis: Analysis, target: str) -> Figure | None:
    """A heat map of interactions: operators by encoder, arm and baseline."""
    frame = analysis.interactions
    frame = frame[(frame["target"] == target) & (frame["kind"] == "perturbation") & (frame["subset"] == "all")]
    frame = frame[(frame["language"] == "all") & (frame["domain"] == "all") & frame["severity"].isna()]
    frame = frame[frame["perturbation"] != "all"]
    if frame.empty:
        return None
    frame = frame.assign(column=frame["model"] + "\n" + frame["arm"] + "\n− " + frame["baseline"])
    keys = {"index": "perturbation", "columns": "column"}
    mean = frame.pivot_table(values="estimate", sort=False, dropna=False, **keys) * 100
    verdicts = frame.pivot_table(values="verdict", aggfunc="first", sort=False, dropna=False, **keys)
    figure = Figure(figsize=(1.6 + 0.95 * mean.shape[1], 1.1 + 0.32 * mean.shape[0]))
    axes = figure.subplots()
    top = max(5.0, float(np.nanmax(np.abs(mean.to_numpy()))))
    axes.imshow(mean, cmap="RdBu", vmin=-top, vmax=top, aspect="auto")
    for y, x in np.ndindex(mean.shape):
        value = mean.iat[y, x]
        if pd.notna(value):
            sure = verdicts.reindex_like(mean).iat[y, x] not in ("undetermined", NOT_JUDGED)
            text = {"color": "white" if abs(value) > 0.65 * top else "#222222", "weight": "bold" if sure else "normal"}
            axes.text(x, y, f"{value:+.1f}{'*' if sure else ''}".replace("-", "−"), ha="center", va="center", **text)
    axes.set_xticks(range(mean.shape[1]), mean.columns, fontsize=8)
    axes.set_yticks(range(mean.shape[0]), mean.index)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _languages(analysis: Analysis, target: str) -> Figure | None:
    """Clean (filled) and perturbed (hollow) scores by language; a panel for each encoder (and metric)."""
    frame = analysis.curves[(analysis.curves["target"] == target) & (analysis.curves["language"] != "all")]
    frame = frame[frame["domain"] == home(analysis, target)]
    frame = frame[frame["perturbation"].isin(["clean", "all"])]
    if frame.empty:
        return None
    rows = list(dict.fromkeys(zip(frame["model"], frame["metric"], strict=True)))
    names, arms = list(dict.fromkeys(frame["language"])), list(dict.fromkeys(frame["arm"]))
    figure = Figure(figsize=(max(5.0, 1.4 + 0.85 * len(names)), 0.8 + 1.9 * len(rows)), layout="constrained")
    handles, styles = {}, _styles(analysis)
    for (model, metric), axes in zip(
        rows, figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0], strict=True
    ):
        part = frame[(frame["model"] == model) & (frame["metric"] == metric)]
        for number, arm in enumerate(arms):
            shift = (number - (len(arms) - 1) / 2) * 0.6 / len(arms)
            wide = part[part["arm"] == arm].pivot(index="language", columns="perturbation", values="estimate")
            wide = 100 * wide.reindex(index=names, columns=["clean", "all"])
            x = np.arange(len(names)) + shift
            style = styles[arm]
            axes.vlines(x, wide["all"], wide["clean"], color=style["color"], linewidth=1.4)
            own = {"linestyle": "none", "marker": style["marker"], "color": style["color"], "markersize": 5}
            (handles[arm],) = axes.plot(x, wide["clean"], **own)
            axes.plot(x, wide["all"], **own | {"markerfacecolor": "white"})
        axes.grid(axis="y", color="#E5E5E5", linewidth=0.7)
        axes.set_ylabel(f"{model}\n{metric} %")
        axes.set_xticks(range(len(names)), names)
    figure.legend(handles.values(), map(as_label, handles), loc="outside upper center", ncols=len(handles))
    return figure
