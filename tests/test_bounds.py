"""The bounds that packages put on each other."""

from typing import Any

from packaging.requirements import Requirement


def needs(project: dict[str, Any]) -> list[Requirement]:
    """Everything a package asks for, extras included."""
    groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    return [Requirement(text) for group in groups for text in group]


def test_bounds_admit_the_current_versions(projects: dict[str, dict[str, Any]]) -> None:
    """Every bound on a sibling admits the version that the sibling has now."""
    versions = {project["name"]: project["version"] for project in projects.values()}
    refused = [
        f"{project['name']} asks for {need}"
        for project in projects.values()
        for need in needs(project)
        if need.name in versions and versions[need.name] not in need.specifier
    ]

    assert [] == refused


def test_bounds_end_before_the_next_minor(projects: dict[str, dict[str, Any]]) -> None:
    """While versions are 0.x, a dependency on a sibling excludes its next minor version."""
    versions = {project["name"]: project["version"] for project in projects.values()}
    open_ended = []
    for project in projects.values():
        for need in map(Requirement, project["dependencies"]):
            if need.name in versions:
                major, minor, _ = versions[need.name].split(".")
                if f"{major}.{int(minor) + 1}.0" in need.specifier:
                    open_ended.append(f"{project['name']} asks for {need}")

    assert [] == open_ended


def test_only_the_umbrella_names_siblings(projects: dict[str, dict[str, Any]]) -> None:
    """Only treadle depends on the other packages."""
    names = {project["name"] for project in projects.values()}
    naming = {
        project["name"]
        for project in projects.values()
        for need in needs(project)
        if need.name in names - {project["name"]}
    }

    assert {"treadle"} == naming
