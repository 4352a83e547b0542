from generator.cli.cli import main

main()
