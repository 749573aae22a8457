"""Pools of candidates, which the queries of a retrieval task search."""

import dataclasses


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """n candidates in one or several languages.

    Attributes:
        ids: n published ids.
        languages: n language codes.
        fields: field -> n texts; a candidate's example consists of all its fields.
    """

    ids: tuple[str, ...]
    languages: tuple[str, ...]
    fields: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.ids)
