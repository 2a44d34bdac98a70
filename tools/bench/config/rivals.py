"""The same load by others, each in the way of its documentation.

Every function imports its system and returns a load; what the system lets one keep between loads
is made before. `schema.py` has the classes of attrs; `written.py` has written those of the others.
Whole processes import this module, too, so it imports nothing else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Load = Callable[[str, Sequence[str]], object]


def without_dashes(argv: Sequence[str]) -> list[str]:
    """`--a.b=c` as `a.b=c`."""
    return [argument.removeprefix("--") for argument in argv]


def pyrallis() -> Load:
    """`pyrallis.parse`."""
    import pyrallis
    from dataclass_schema import Config

    return lambda file, argv: pyrallis.parse(Config, file, list(argv))


def draccus() -> Load:
    """`draccus.parse`."""
    import draccus
    from dataclass_schema import Config

    return lambda file, argv: draccus.parse(Config, file, list(argv))


def tyro() -> Load:
    """tyro, which reads no files: cattrs reads the file, and the config is tyro's default."""
    import cattrs
    import tyro
    import yaml
    from schema import Config

    converter = cattrs.Converter()

    def load(file: str, argv: Sequence[str]) -> object:
        with open(file, "rb") as stream:  # noqa: PTH123 (the fastest way)
            given = yaml.load(stream, yaml.CSafeLoader)
        # Its flags of bools take no value.
        flags = [argument.removesuffix("=true") for argument in argv]
        return tyro.cli(Config, args=flags, default=converter.structure(given, Config))

    return load


def simple_parsing() -> Load:
    """simple-parsing, with the flags of nested fields spelled out."""
    import simple_parsing
    from dataclass_schema import Config

    modes = simple_parsing.ArgumentGenerationMode
    return lambda file, argv: simple_parsing.parse(
        Config, file, list(argv), argument_generation_mode=modes.NESTED
    )


def jsonargparse() -> Load:
    """jsonargparse; its parser is kept."""
    from dataclass_schema import Config
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(Config)

    def load(file: str, argv: Sequence[str]) -> object:
        read = parser.parse_args(["--config", file, *argv])
        del read["config"]
        return Config(**vars(parser.instantiate(read)))

    return load


def omegaconf() -> Load:
    """OmegaConf; the structured config is kept."""
    from dataclass_schema import Config
    from omegaconf import OmegaConf

    structured = OmegaConf.structured(Config)

    def load(file: str, argv: Sequence[str]) -> object:
        merged = OmegaConf.merge(
            structured, OmegaConf.load(file), OmegaConf.from_dotlist(without_dashes(argv))
        )
        return OmegaConf.to_object(merged)

    return load


def hydra() -> Load:
    """Hydra's compose; what it has been told of folders and schemas is kept."""
    from pathlib import Path

    from dataclass_schema import Config
    from hydra import compose, initialize_config_dir
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    ConfigStore.instance().store(name="written", node=Config)
    begun: list[object] = []

    def load(file: str, argv: Sequence[str]) -> object:
        path = Path(file)
        composed = path.with_name("composed.yaml")
        if not begun:
            composed.write_text(f"defaults: [written, _self_]\n{path.read_text()}")
            begun.append(initialize_config_dir(str(path.parent), version_base=None))
        return OmegaConf.to_object(compose("composed", without_dashes(argv)))

    return load


def chz() -> Load:
    """chz, which reads no files: the file is loaded and flattened by hand."""
    import yaml
    from chz import Blueprint
    from chz.blueprint import Castable
    from chz_schema import Config

    blueprint = Blueprint(Config)

    def flat(tree: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, object]]:
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{within}{key}.")
            else:
                # A text is to become a path or a member of an enum where one is declared.
                yield f"{within}{key}", Castable(value) if isinstance(value, str) else value

    def load(file: str, argv: Sequence[str]) -> object:
        with open(file, "rb") as stream:  # noqa: PTH123 (the fastest way)
            given = yaml.load(stream, yaml.CSafeLoader)
        applied = blueprint.clone().apply(dict(flat(given)), layer_name=file)
        return applied.make_from_argv(without_dashes(argv))

    return load


def pydantic_settings() -> Load:
    """pydantic-settings, with its own classes; what reads the command line is kept."""
    import pydantic_settings as settings
    from pydantic_schema import Config

    files: list[str] = []

    class Settings(settings.BaseSettings, Config):
        @classmethod
        def settings_customise_sources(cls, *_: Any, **__: Any) -> tuple[Any, ...]:
            # The command line, given below, is put before it.
            return (settings.YamlConfigSettingsSource(cls, yaml_file=files[-1]),)

    made: Any = Settings
    arguments: Any = settings.CliSettingsSource(made)

    def load(file: str, argv: Sequence[str]) -> object:
        files[:] = [file]
        return made(_cli_settings_source=arguments(args=list(argv)))

    return load


RIVALS: dict[str, tuple[str, Callable[[], Load]]] = {
    "chz": ("chz", chz),
    "pydantic-settings": ("pydantic-settings", pydantic_settings),
    "draccus": ("draccus", draccus),
    "omegaconf": ("OmegaConf", omegaconf),
    "jsonargparse": ("jsonargparse", jsonargparse),
    "simple-parsing": ("simple-parsing", simple_parsing),
    "tyro": ("tyro, cattrs for the file", tyro),
    "hydra-core": ("Hydra", hydra),
    "pyrallis": ("pyrallis", pyrallis),
}
"""By distribution: what it is called in a table, and what makes its load."""
