"""What visitors are shown.

certificate_selection  which certificate each name is shown: the best there is (shown_certificates: as values)
certificate_files    puts what was selected into live/
certificate_store    what CAs signed, found by the names that it covers (certificate_records: its form)
facts_file           what follows from certificates that were read before, so that a start does not read them again
live_folder          live/NAME: what nginx loads
key_types            two certificates for the same names, ECDSA and RSA
local_ca             daemun's own certificate authority
client_ca            certificates of visitors (client_links: handed over by a link; client_link_app, client_link_pages)
own_files            the owner's certificate files (bundle: a chain with its key; pem_kinds: what a wrong file is)
deploy_hook          the owner's command after each new certificate
"""
