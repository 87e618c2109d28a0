import fake_service

fake_service.run("worker")
