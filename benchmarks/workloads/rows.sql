-- Tables in memory: rows are added, indexed, joined, changed and removed. The table `size` has the
-- number of thousands of rows.
create table word (id integer primary key, name text, total integer);
create table note (word integer, body text);

with recursive number (id) as (select 1 union all select id + 1 from number, size where id < 1000 * n)
insert into word select id, printf('%x-%d', id * 48271 % 65537, id % 97), id * id % 9973 from number;
insert into note select 1 + id * 7919 % (1000 * n), hex(name || total) || id from word, size;
create index note_word on note (word);
create index word_name on word (name, total);

update word set name = name || '+' || total where id % 3 = 0;
delete from note where word % 5 = 0;

with line (text) as (
    select printf('%d %d %d %s', id % 31, count(*), sum(total), max(body))
    from word join note on word = id where name > '5' group by id % 31
    union all
    select group_concat(json_extract(json_object('name', name, 'total', total), '$.name'), ' ')
    from (select * from word order by name desc, id) group by id % 1009
)
select sum(length(text)), count(*), max(text) from line;
