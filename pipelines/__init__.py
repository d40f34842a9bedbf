"""How a run is orchestrated: stages, their graph, the artifact store and the tracking."""
