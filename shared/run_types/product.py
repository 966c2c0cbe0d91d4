"""Reports of the product director: the roadmap."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    Agent,
    Kept,
    ModelTier,
    RunType,
    SourceName,
    section,
)

AGENT: Final = Agent(name="CPO Agent", emoji="🗺️", role="Directeur Produit", title="le directeur des produits")

ENTRIES: Final = (
    RunType(
        key="ROADMAP_UPDATE",
        label="Mise à Jour Roadmap",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.08"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.COMMERCIAL, SourceName.CONTACTS),
        steps=("Revue livrables", "Analyse backlog", "Priorisation", "Mise à jour roadmap"),
        purpose="Il remet la feuille de route en accord avec ce qui est livré et ce qui attend.",
        sections=(
            section("Vision", "le cap du produit en quelques lignes et ce qui l'a confirmé ou infléchi", proposes=True),
            section(
                "Livraisons récentes",
                "ce qui est sorti, daté, et le besoin auquel cela répond",
                fed_by=(SourceName.GITHUB,),
            ),
            section(
                "Carnet à trois mois",
                "les chantiers à venir, ordonnés, avec leur taille et leurs dépendances",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.GITHUB, SourceName.COMMERCIAL),
            ),
            section(
                "Fonctions en développement",
                "l'avancement visible dans le code, les blocages et la suite",
                fed_by=(SourceName.GITHUB,),
            ),
            section("Adoption", "l'usage mesuré des fonctions livrées"),
            section(
                "Changements de priorité",
                "ce qui monte, ce qui descend, et la raison",
                proposes=True,
                keeps=Kept.DECISIONS,
                fed_by=(SourceName.GITHUB, SourceName.COMMERCIAL, SourceName.CONTACTS),
            ),
        ),
    ),
)
