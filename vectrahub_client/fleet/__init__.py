"""The job API in front of several ComfyUI processes, by Ray Serve: pip install 'vectrahub-client[fleet]'.

    launch.start(options)  Ray, the replicas and the edge; launch.stop ends them
    edge.Edge              an actor: the service, its ledger and its address; Ray starts it again when it dies
    runner.RayRunner       hands accepted jobs to replicas, and to another one when a replica dies
    replica.Replica        a Serve deployment: one ComfyUI process, on a GPU of its own
    messages               what edge and replicas say to each other

Ray names what it sends by module, so this room is only ever imported as `vectrahub_client.fleet`.
"""
