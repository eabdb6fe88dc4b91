"""What dashboards show, worked out from values: of a site its picture (`route_picture`), rules (`access_rules`); of all
a row each with three lamps (`lamps`, `site_row`), which of them and in which order (`row_choice`), what needs a person
(`needs`), and all of it in numbers (`gate_totals`). Pure."""
